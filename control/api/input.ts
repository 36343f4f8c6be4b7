import type { z } from "zod";
import { ApiError } from "./errors.ts";

/** Bytes of request bodies held at once, by all requests together; more are refused. */
const MAX_BYTES_AT_ONCE = 512 * 2 ** 20;
/** The longest JSON body of an ordinary call. */
export const MAX_JSON_BYTES = 2 ** 20;
/** Problems named in one message. */
const MAX_ISSUES = 5;

let bytesHeld = 0;

/**
 * Reads, decodes and checks a JSON body.
 *
 * @throws {ApiError} `bodyTooLarge`, `overloaded`, or `badRequest`, which names every wrong field.
 */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
  maxBytes: number = MAX_JSON_BYTES,
): Promise<z.infer<Schema>> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length;
      bytesHeld += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      if (bytesHeld > MAX_BYTES_AT_ONCE) {
        throw new ApiError("overloaded", "Too many large request bodies at once: try again");
      }
      chunks.push(chunk);
    }
    return parse(schema, decode(chunks, size));
  } finally {
    bytesHeld -= size;
  }
}

/**
 * Checks query parameters. An empty one counts as absent.
 *
 * @throws {ApiError} `badRequest`, which names every wrong parameter.
 */
export function readQuery<Schema extends z.ZodType>(
  query: Record<string, string>,
  schema: Schema,
): z.infer<Schema> {
  return parse(schema, Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")));
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, MAX_ISSUES).map(({ path, message }) =>
    path.length === 0 ? message : `"${path.join(".")}": ${message}`
  );
  throw new ApiError("badRequest", `Invalid request: ${problems.join("; ")}`);
}

function decode(chunks: readonly Uint8Array[], size: number): unknown {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ApiError("badRequest", `The request body is not JSON: ${(error as Error).message}`);
  }
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(
    "bodyTooLarge",
    `The request body is longer than ${maxBytes} bytes: upload large files one by one, by their gitSha1`,
  );
}
