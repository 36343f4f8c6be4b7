import { Turn } from "../../scheduling/turn.ts";

/** Text gathered before it is sent. */
const CHUNK_CHARS = 16_384;

const encoder = new TextEncoder();

/**
 * A response with one JSON object a line, as they come.
 *
 * @param lines Called once; its signal aborts when the client is gone.
 */
export function ndjsonResponse(lines: (signal: AbortSignal) => AsyncIterable<unknown>): Response {
  const gone = new AbortController();
  const iterator = lines(gone.signal)[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    async cancel() {
      gone.abort();
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

/**
 * A response with an array, made while it is sent: however long it is, nobody waits for it.
 *
 * @param around The text before the array and behind it.
 */
export function jsonArrayResponse(
  items: AsyncIterable<unknown> | Iterable<unknown>,
  around: readonly [before: string, after: string] = ["", ""],
): Response {
  return new Response(ReadableStream.from(arrayText(items, around)), {
    headers: { "content-type": "application/json" },
  });
}

async function* arrayText(
  items: AsyncIterable<unknown> | Iterable<unknown>,
  [before, after]: readonly [string, string],
): AsyncGenerator<Uint8Array> {
  const turn = new Turn();
  let text = `${before}[`;
  let separator = "";
  for await (const item of items) {
    text += separator + JSON.stringify(item);
    separator = ",";
    if (turn.isOver()) await turn.next();
    if (text.length < CHUNK_CHARS) continue;
    yield encoder.encode(text);
    text = "";
  }
  yield encoder.encode(`${text}]${after}`);
}

/** Whether a client asks for one JSON object a line instead of an array. */
export function wantsNdjson(accept: string | undefined): boolean {
  return (accept ?? "").split(",").some((type) =>
    type.split(";")[0]!.trim().toLowerCase() === "application/x-ndjson"
  );
}
