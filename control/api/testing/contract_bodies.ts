import { resolved, type Schema } from "./contract.ts";

/** What is no value of a type. */
const WRONG: Readonly<Record<string, unknown>> = { string: 5, object: "text", integer: "many", boolean: 1 };

/**
 * Bodies that a schema allows: an example, that with only what is required, that with `null` wherever it may be, and that
 * with a field that nobody knows.
 */
export function allowedBodies(schema: Schema, example: Record<string, unknown>): Record<string, unknown>[] {
  const { required = [], properties = {} } = resolved(schema);
  const least = Object.fromEntries(required.map((name) => [name, example[name]]));
  const nulls = Object.keys(properties).filter((name) => properties[name]!.nullable === true);
  return [
    example,
    least,
    { ...least, ...Object.fromEntries(nulls.map((name) => [name, null])) },
    { ...least, unknownField: { of: ["any", "shape"] } },
  ];
}

/** The example of a body: the schema's, or those of its properties together. */
export function exampleBody(schema: Schema): Record<string, unknown> {
  const { example, properties = {} } = resolved(schema);
  if (example !== undefined) return example as Record<string, unknown>;
  const examples = Object.entries(properties).map(([name, property]) => [name, property.example] as const);
  return Object.fromEntries(examples.filter(([, value]) => value !== undefined));
}

/** Bodies that a schema does not allow, each of which has one thing wrong. */
export function forbiddenBodies(schema: Schema, example: Record<string, unknown>): unknown[] {
  const { required = [], properties = {} } = resolved(schema);
  const without = (name: string) =>
    Object.fromEntries(Object.entries(example).filter(([other]) => other !== name));
  return [
    [],
    "text",
    ...required.map(without),
    ...required.map((name) => ({ ...example, [name]: null })),
    ...Object.entries(properties).map(([name, property]) => ({
      ...example,
      [name]: WRONG[typeOf(property)],
    })),
    ...Object.entries(properties).flatMap(([name, { maxLength }]) =>
      maxLength === undefined ? [] : [{ ...example, [name]: "x".repeat(maxLength + 1) }]
    ),
  ];
}

function typeOf(schema: Schema): string {
  const { type, allOf = [] } = resolved(schema);
  return type ?? typeOf(allOf[0]!);
}
