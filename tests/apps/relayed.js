/** What a relay must pass on as it is: streams, WebSockets, compressed bytes, the end of either side. */
const CHUNK_BYTES = 64 * 1024;
const aborted = [];
let release = () => {};

async function* parts() {
  yield new TextEncoder().encode("data: one\n\n");
  await new Promise((resolve) => release = resolve);
  yield new TextEncoder().encode("data: two\n\n");
}

function zeros(bytes) {
  let rest = bytes;
  return new ReadableStream({
    pull(controller) {
      if (rest === 0) return controller.close();
      const size = Math.min(rest, CHUNK_BYTES);
      controller.enqueue(new Uint8Array(size));
      rest -= size;
    },
  });
}

async function count(body) {
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.length;
  return new Response(String(bytes));
}

function waitForAbort(request, name) {
  return new Promise((resolve) => {
    request.signal.addEventListener("abort", () => {
      aborted.push(name);
      resolve(new Response());
    });
  });
}

function echo(request) {
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "echo" });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => data === "close" ? socket.close(4001, "done") : socket.send(data);
  return response;
}

Deno.serve(async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/socket":
      return echo(request);
    case "/events":
      return new Response(ReadableStream.from(parts()), { headers: { "content-type": "text/event-stream" } });
    case "/release":
      release();
      return new Response();
    case "/zeros":
      return new Response(zeros(Number(searchParams.get("bytes"))));
    case "/count":
      return await count(request.body);
    case "/gzip":
      return new Response(Uint8Array.fromBase64(searchParams.get("body")), {
        headers: [["content-encoding", "gzip"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
      });
    case "/wait":
      return await waitForAbort(request, searchParams.get("name"));
    case "/aborted":
      return Response.json(aborted);
    default:
      return new Response("Not found\n", { status: 404 });
  }
});
