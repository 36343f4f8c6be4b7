const WRITES = 4;

export default {
  fetch(request: Request): Response {
    const [, bytes, length] = new URL(request.url).pathname.split("/");
    const headers = length === undefined ? undefined : { "content-length": bytes! };
    return new Response(streamed(Number(bytes)), { headers });
  },
};

/** Each write is one of its own: it comes in a later turn of the event loop than the one before. */
function streamed(bytes: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(Math.ceil(bytes / WRITES)).fill(0x30);
  let left = bytes;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setImmediate(resolve));
      controller.enqueue(chunk.subarray(0, Math.min(left, chunk.byteLength)));
      left -= chunk.byteLength;
      if (left <= 0) controller.close();
    },
  });
}
