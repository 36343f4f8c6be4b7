/** The reference document of the API (OpenAPI 3.0.3), for the tests that hold the API to it. */
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Answer } from "./test_api.ts";

/** A schema of the document. */
export interface Schema {
  $ref?: string;
  type?: string;
  nullable?: boolean;
  required?: string[];
  properties?: Record<string, Schema>;
  allOf?: Schema[];
  oneOf?: Schema[];
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  format?: string;
  example?: unknown;
}

/** A parameter of an operation. */
export interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  schema: Schema;
  example?: string;
}

interface Content {
  content?: Record<string, { schema: Schema }>;
}

/** One operation of the document. */
export interface Operation {
  /** In lower case. */
  method: string;
  path: string;
  parameters: Parameter[];
  /** `null` = it takes no body. */
  body: Schema | null;
  responses: Record<string, Content & { headers?: Record<string, { schema: Schema }> }>;
}

interface Document {
  paths: Record<string, Record<string, Omit<Operation, "body"> & { requestBody?: Content }>>;
  components: { schemas: Record<string, Schema> };
}

const ID = "contract";
const document: Document = JSON.parse(
  await Deno.readTextFile(
    join(import.meta.dirname!, "testdata", "deno-deploy-api-v1.openapi.json"),
  ),
);

/** All operations of the document. */
export const OPERATIONS: readonly Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters, requestBody, responses }]) => ({
    method,
    path,
    parameters: parameters ?? [],
    body: requestBody?.content?.["application/json"]?.schema ?? null,
    responses,
  }))
);

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: ID, components: { schemas: jsonSchema(document.components.schemas) } });
const compiled = new WeakMap<Schema, ValidateFunction>();

/** What is wrong with a value; none = it matches. */
export function problems(schema: Schema, value: unknown): string[] {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(jsonSchema(schema) as object);
    compiled.set(schema, validate);
  }
  if (validate(value)) return [];
  return validate.errors!.map(({ instancePath, message }) => `$${instancePath} ${message}`);
}

/** Fails a test whose answer is not as the document has it for that status. */
export function conforms(method: string, path: string, answer: Answer): void {
  const operation = OPERATIONS.find((one) => one.method === method && one.path === path);
  assert.ok(operation, `${method} ${path} is not in the document`);
  const response = operation.responses[String(answer.status)];
  const what = `${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`;
  assert.ok(response, what);
  assert.match(answer.headers.get("x-deno-ray") ?? "", /./);
  const [type = ""] = answer.headers.get("content-type")?.split(";") ?? [];
  const schema = response.content?.[type]?.schema;
  if (response.content === undefined) assert.equal(answer.body, "", what);
  else assert.ok(schema, `${what} as "${type}"`);
  const lines = type === "application/x-ndjson" ? answer.body.split("\n").slice(0, -1) : null;
  const values = lines?.map((line: string) => JSON.parse(line)) ?? [answer.body];
  if (schema !== undefined) {
    for (const value of values) assert.deepEqual(problems(schema, value), [], what);
  }
}

/** The example of the schema of that name. */
export function exampleOf(name: string): unknown {
  return document.components.schemas[name]!.example;
}

/** A schema without references at its top. */
export function resolved(schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  return document.components.schemas[schema.$ref.split("/").at(-1)!]!;
}

/** As JSON Schema has it, for which `nullable` and the place of references of OpenAPI mean nothing. */
function jsonSchema(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonSchema);
  const { nullable, example: _, discriminator: __, ...rest } = value as Record<string, unknown>;
  const schema = Object.fromEntries(Object.entries(rest).map(([key, member]) => [key, jsonSchema(member)]));
  if (typeof schema.$ref === "string") schema.$ref = ID + schema.$ref;
  // What anything matches is never the only one that matches.
  if (Array.isArray(schema.oneOf) && schema.oneOf.some((one) => Object.keys(one).length === 0)) {
    const { oneOf, ...others } = schema;
    return { ...others, anyOf: oneOf };
  }
  return nullable === true ? { anyOf: [{ type: "null" }, schema] } : schema;
}
