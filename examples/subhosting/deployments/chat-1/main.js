/** A chat room: everybody who is connected to the isolate hears each other. */
const MAX_TEXT_LENGTH = 2000;
/** Who reads slower than the room talks is let go. */
const MAX_BUFFERED_BYTES = 1024 ** 2;

const room = new Set();

function say(text) {
  for (const socket of room) {
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.close(1008, "too slow");
    else socket.send(text);
  }
}

function join(request) {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => {
    room.add(socket);
    say(`Somebody came: ${room.size} here`);
  };
  socket.onmessage = ({ data }) => say(String(data).slice(0, MAX_TEXT_LENGTH));
  socket.onclose = () => {
    room.delete(socket);
    say(`Somebody left: ${room.size} here`);
  };
  return response;
}

Deno.serve(async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/room" && request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    return join(request);
  }
  if (pathname !== "/") return new Response("Not found\n", { status: 404 });
  return new Response(await Deno.readFile("/index.html"), {
    headers: { "content-type": "text/html; charset=utf-8" },
  });
});
