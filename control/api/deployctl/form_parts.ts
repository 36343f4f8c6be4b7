import { make, type MultipartError } from "multipasta";
import { ApiError } from "../errors.ts";

/** One part of a form. Its content has to be read, or the part skipped, before the next part comes. */
export interface FormPart {
  name: string;
  content: AsyncIterable<Uint8Array>;
}

type Piece = { part: string } | { content: Uint8Array } | { end: true };

/**
 * The parts of a `multipart/form-data` body (RFC 7578) as they arrive. Never more than one chunk of the body is held; the
 * body is cancelled when the iteration ends early.
 *
 * @throws {ApiError} `badRequest`: it is no such body, has more than `maxParts` parts, or ends too early.
 */
export async function* formParts(
  request: Request,
  { maxParts }: { maxParts: number },
): AsyncGenerator<FormPart, void, void> {
  const pieces = formPieces(request, maxParts);
  try {
    for (let { value: piece } = await pieces.next(); piece; { value: piece } = await pieces.next()) {
      if ("part" in piece) yield { name: piece.part, content: contentOf(pieces) };
      // What is left of a part that was not read is passed over.
    }
  } finally {
    await pieces.return();
  }
}

async function* contentOf(pieces: AsyncGenerator<Piece, void, void>): AsyncGenerator<Uint8Array, void, void> {
  for (let { value: piece } = await pieces.next(); piece; { value: piece } = await pieces.next()) {
    if (!("content" in piece)) return;
    yield piece.content;
  }
}

async function* formPieces(request: Request, maxParts: number): AsyncGenerator<Piece, void, void> {
  let pieces: Piece[] = [];
  let problem: string | null = null;
  let complete = false;
  const parser = make({
    headers: { "content-type": request.headers.get("content-type") ?? "" },
    maxParts,
    isFile: () => true,
    onField() {},
    onFile({ name }) {
      pieces.push({ part: name });
      return (content) => pieces.push(content === null ? { end: true } : { content });
    },
    onError: (error) => problem ??= describe(error),
    onDone: () => complete = true,
  });
  for await (const chunk of bodyOf(request)) {
    try {
      parser.write(chunk);
    } catch (error) {
      problem ??= (error as Error).message;
    }
    if (problem !== null) throw malformed(problem);
    yield* pieces;
    pieces = [];
  }
  parser.end();
  if (problem !== null || !complete) throw malformed(problem ?? "it ends too early");
}

async function* bodyOf({ body }: Request): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (body !== null) yield* body;
  } catch (cause) {
    throw malformed(`it ends too early: ${(cause as Error).message}`);
  }
}

function describe(error: MultipartError): string {
  switch (error._tag) {
    case "InvalidBoundary":
      return `its content-type is not "multipart/form-data" with a boundary`;
    case "BadHeaders":
    case "InvalidDisposition":
      return "a part has no valid headers";
    case "ReachedLimit":
      return "it has too many parts";
    case "EndNotReached":
      return "it ends too early";
  }
}

function malformed(problem: string): ApiError {
  return new ApiError("badRequest", `Cannot read the form of the request: ${problem}`);
}
