const CHUNK = new Uint8Array(64 * 1024);
const CHUNKS = 16;

export default {
  fetch: (request: Request) => request.method === "POST" ? counted(request.body!) : new Response(streamed()),
};

/** A visitor that goes away in the middle is nothing to report. */
async function counted(body: ReadableStream<Uint8Array>): Promise<Response> {
  let bytes = 0;
  try {
    for await (const chunk of body) bytes += chunk.byteLength;
  } catch {
    return new Response("Incomplete", { status: 400 });
  }
  return new Response(`${bytes}`);
}

/** Without a length known beforehand. */
function streamed(): ReadableStream<Uint8Array> {
  let left = CHUNKS;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(CHUNK);
      else controller.close();
    },
  });
}
