import type { z } from "zod";
import { ApiError } from "./errors.ts";
import { assertShallow, parseText } from "./deployments/json_text.ts";

/** The longest JSON body of an ordinary call. */
const MAX_JSON_BYTES = 2 ** 20;
/** Bytes of such bodies held at once, by all requests together; more are refused. */
const MAX_BYTES_AT_ONCE = 64 * MAX_JSON_BYTES;
/** How long a body may keep us waiting for its next byte. */
const MAX_BODY_PAUSE_MS = 60_000;
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
  const pieces: string[] = [];
  let size = 0;
  try {
    for await (const piece of bodyText(request, maxBytes)) {
      size += piece.length;
      bytesHeld += piece.length;
      if (bytesHeld > MAX_BYTES_AT_ONCE) {
        throw new ApiError("overloaded", "Too many large request bodies at once: try again");
      }
      pieces.push(piece);
    }
    return check(schema, parse(pieces.join("")));
  } finally {
    bytesHeld -= size;
  }
}

/**
 * The text of a body, as it arrives.
 *
 * @throws {ApiError} `bodyTooLarge`, or `badRequest`: it is not UTF-8, or stopped arriving.
 */
export async function* bodyText(request: Request, maxBytes: number): AsyncGenerator<string> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk: Uint8Array, stream: boolean) => {
    try {
      return decoder.decode(chunk, { stream });
    } catch {
      throw new ApiError("badRequest", "The request body is not JSON: it is not valid UTF-8");
    }
  };
  let size = 0;
  for await (const chunk of withoutLongPauses(request.body)) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    yield decode(chunk, true);
  }
  yield decode(new Uint8Array(), false);
}

async function* withoutLongPauses(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  let pauseBegan = Infinity;
  let isLate = false;
  const timer = setInterval(() => {
    if (performance.now() - pauseBegan < MAX_BODY_PAUSE_MS) return;
    isLate = true;
    reader.cancel().catch(() => {});
  }, MAX_BODY_PAUSE_MS / 10);
  try {
    for (;;) {
      pauseBegan = performance.now();
      const { done, value } = await reader.read();
      if (isLate) throw new ApiError("badRequest", `The request body paused for ${MAX_BODY_PAUSE_MS}ms`);
      if (done) return;
      pauseBegan = Infinity;
      yield value;
    }
  } finally {
    clearInterval(timer);
    await reader.cancel().catch(() => {});
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
  return check(schema, Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")));
}

/**
 * Parses and checks JSON that is no body of its own.
 *
 * @throws {ApiError} `badRequest`, which names every wrong field.
 */
export function parseJson<Schema extends z.ZodType>(text: string, schema: Schema): z.infer<Schema> {
  return check(schema, parse(text));
}

/**
 * Checks a value that a client sent.
 *
 * @throws {ApiError} `badRequest`, which names every wrong field.
 */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, MAX_ISSUES).map(({ path, message }) =>
    path.length === 0 ? message : `"${path.join(".")}": ${message}`
  );
  throw new ApiError("badRequest", `Invalid request: ${problems.join("; ")}`);
}

function parse(text: string): unknown {
  assertShallow(text);
  return parseText(text);
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(
    "bodyTooLarge",
    `The request body is longer than ${maxBytes} bytes: upload large files one by one, by their gitSha1`,
  );
}
