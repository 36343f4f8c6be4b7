/**
 * A response with one JSON object a line, as they come.
 *
 * @param lines Called once; its signal aborts when the client is gone.
 */
export function ndjsonResponse(lines: (signal: AbortSignal) => AsyncIterable<unknown>): Response {
  const gone = new AbortController();
  const iterator = lines(gone.signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
    },
    cancel: () => gone.abort(),
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

/** Whether a client asks for one JSON object a line instead of an array. */
export function wantsNdjson(accept: string | undefined): boolean {
  return (accept ?? "").split(",").some((type) =>
    type.split(";")[0]!.trim().toLowerCase() === "application/x-ndjson"
  );
}
