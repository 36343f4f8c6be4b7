/** A chat room. Everybody who is connected to the same isolate hears each other; nothing is stored. */

interface Message {
  from: string;
  text: string;
}

const MAX_MESSAGE_LENGTH = 2000;
const MAX_NAME_LENGTH = 30;
const MAX_HISTORY = 50;
/** A visitor who reads slower than the room talks is let go; the page connects again. */
const MAX_BUFFERED_BYTES = 1024 ** 2;

const room = new Set<WebSocket>();
const history: Message[] = [];

function say(message: Message): void {
  history.push(message);
  if (history.length > MAX_HISTORY) history.shift();
  for (const socket of room) send(socket, { message });
  console.log(`${message.from}: ${message.text}`);
}

function announceVisitors(): void {
  for (const socket of room) send(socket, { visitors: room.size });
}

function send(socket: WebSocket, event: { message: Message } | { visitors: number }): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.close(1008, "too slow");
  else socket.send(JSON.stringify(event));
}

function join(request: Request): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => {
    room.add(socket);
    for (const message of history) send(socket, { message });
    announceVisitors();
  };
  socket.onmessage = ({ data }) => {
    const message = parseMessage(data);
    if (message) say(message);
    else socket.close(1007, "not a message");
  };
  socket.onclose = () => {
    room.delete(socket);
    announceVisitors();
  };
  return response;
}

function parseMessage(data: unknown): Message | undefined {
  try {
    const { from, text } = JSON.parse(String(data));
    if (typeof from !== "string" || typeof text !== "string" || text.trim() === "") return undefined;
    return { from: from.slice(0, MAX_NAME_LENGTH) || "somebody", text: text.slice(0, MAX_MESSAGE_LENGTH) };
  } catch {
    return undefined;
  }
}

const page = await Deno.readTextFile(new URL("./index.html", import.meta.url));

Deno.serve((request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/room" && request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    return join(request);
  }
  if (pathname === "/") {
    return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
  }
  return new Response("Not found\n", { status: 404 });
});
