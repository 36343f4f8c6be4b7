/** WebSockets in every way that a proxy could get wrong. */
const closed: { code: number; reason: string; wasClean: boolean }[] = [];

Deno.serve((request) => {
  const url = new URL(request.url);
  if (url.pathname === "/closed") return Response.json(closed);
  if (request.headers.get("upgrade") !== "websocket") return Response.json({ plain: true });
  if (url.pathname === "/refuse") {
    return new Response("members only", { status: 403, headers: { "x-why": "not you" } });
  }
  // After the upgrade the request is closed.
  const received = { url: request.url, headers: [...request.headers] };
  const protocol = url.searchParams.get("protocol") ?? undefined;
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol });
  socket.binaryType = "arraybuffer";
  response.headers.append("set-cookie", "session=1");
  socket.onopen = () => {
    if (url.pathname === "/hello") {
      socket.send(JSON.stringify(received));
    }
    if (url.pathname === "/flood") flood(socket);
  };
  socket.onmessage = ({ data }) => {
    if (data === "close") socket.close(4321, "because Ü");
    else if (data === "close without a code") socket.close();
    else if (data === "exit") Deno.exit(0);
    else if (url.pathname === "/count") socket.send(String(data.byteLength ?? data.length));
    else socket.send(data);
  };
  socket.onclose = ({ code, reason, wasClean }) => closed.push({ code, reason, wasClean });
  return response;
});

/** 64 messages of 1 MiB. */
function flood(socket: WebSocket) {
  for (let i = 0; i < 64; i++) socket.send(new Uint8Array(1024 * 1024).fill(i));
}
