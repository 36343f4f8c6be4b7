/**
 * A relay: a reverse proxy that knows which hostname is which deployment, and signs that for Isola.
 *
 *     deno run -A relay.ts
 *
 * Which hostname is which deployment is in `hostnames.json`, where a real relay asks its database. It speaks plain HTTP: a
 * real one has TLS, or stands behind what has it.
 */
import { Agent, createServer, request as http } from "node:http";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { Agent as SecureAgent, request as https } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
// deno-lint-ignore no-import-prefix -- to be copied as one file
import { SignJWT } from "npm:jose@^6.2.17";

/** Where visitors come to. */
const RELAY_URL = new URL(Deno.env.get("RELAY_URL") ?? "http://127.0.0.1:8002/");
/** Where Isola takes requests: its data plane. */
const INGRESS_URL = new URL(Deno.env.get("INGRESS_URL") ?? "http://127.0.0.1:8000/");
/** Where Isola gets code and files: one of `rpcRoots` in its configuration, or below it. */
const ORIGIN_URL = Deno.env.get("ORIGIN_URL") ?? "http://127.0.0.1:8003/v0/";
/** Our `id` in the configuration of Isola. */
const SUBHOSTER_ID = Deno.env.get("SUBHOSTER_ID") ?? "example";
const HOSTNAMES = Deno.env.get("HOSTNAMES") ?? `${import.meta.dirname}/hostnames.json`;
const SECRET = new TextEncoder().encode(
  Deno.env.get("SHARED_SECRET") ?? Deno.readTextFileSync(`${import.meta.dirname}/secret`).trim(),
);

const TOKEN_LIFETIME_S = 15 * 60;
/** A token is replaced before its end: the clocks of two machines differ. */
const TOKEN_RESERVE_S = 60;
/** Between two neighbours (RFC 9110 §7.6.1), or the relay's own to say. */
const NOT_PASSED_ON = /^(host|connection|keep-alive|te|trailer|upgrade|proxy-.*|x-forwarded-.*|x-deno-.*)$/;
const FRAMING = /^(content-length|transfer-encoding)$/;

const isSecure = INGRESS_URL.protocol === "https:";
const send = isSecure ? https : http;
const kept = new (isSecure ? SecureAgent : Agent)({ keepAlive: true });

const tokens = new Map<string, { token: string; renewAtMs: number }>();
let hostnames = new Map<string, string>();
let savedAtMs = -1;

/** Which deployment a hostname is now. What cannot be read, as it is being saved, is as it was before. */
async function deploymentOf(hostname: string): Promise<string | undefined> {
  try {
    const mtimeMs = (await Deno.stat(HOSTNAMES)).mtime!.getTime();
    if (mtimeMs !== savedAtMs) {
      hostnames = new Map(Object.entries(JSON.parse(await Deno.readTextFile(HOSTNAMES))));
      tokens.clear();
      savedAtMs = mtimeMs;
    }
  } catch (error) {
    console.error(`Cannot read "${HOSTNAMES}":`, error);
  }
  return hostnames.get(hostname);
}

/** Says to Isola, in our name, which deployment a request is for and where its code is. */
async function tokenFor(deploymentId: string): Promise<string> {
  const known = tokens.get(deploymentId);
  if (known && Date.now() < known.renewAtMs) return known.token;
  const token = await new SignJWT({ deployment_id: deploymentId, rpc_root: ORIGIN_URL })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: SUBHOSTER_ID })
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_LIFETIME_S}s`)
    .sign(SECRET);
  tokens.set(deploymentId, { token, renewAtMs: Date.now() + (TOKEN_LIFETIME_S - TOKEN_RESERVE_S) * 1000 });
  return token;
}

/** The header fields with which a request goes on to Isola; `undefined`: its hostname is no deployment. */
async function signedFields(request: IncomingMessage): Promise<string[] | undefined> {
  const { host = "" } = request.headers;
  const deploymentId = await deploymentOf(host.replace(/:\d*$/, "").toLowerCase());
  if (deploymentId === undefined) return undefined;
  return [
    ...passedOn(request),
    ...["host", INGRESS_URL.host],
    ...["x-deno-subhost", await tokenFor(deploymentId)],
    ...["x-forwarded-host", host],
    ...["x-forwarded-proto", RELAY_URL.protocol.slice(0, -1)],
    ...["x-forwarded-for", request.socket.remoteAddress!],
  ];
}

/** Names and values by turns, as they came. */
function passedOn({ rawHeaders, headers }: IncomingMessage): string[] {
  const named = (headers.connection ?? "").toLowerCase().split(",").map((name) => name.trim());
  return rawHeaders.filter((_, index) => {
    const name = rawHeaders[index - index % 2]!.toLowerCase();
    // A visitor who could have the framing dropped could hide a second request in the body.
    return !NOT_PASSED_ON.test(name) && (FRAMING.test(name) || !named.includes(name));
  });
}

/** A request, its body and its response, as streams: whichever end leaves, the other one notices. */
async function relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = await signedFields(request);
  if (response.destroyed) return;
  if (!headers) return refuse(response, 404, `No deployment for "${request.headers.host}"`);
  const { method, url: path } = request;
  const hasBody = "content-length" in request.headers || "transfer-encoding" in request.headers;
  const ask = (agent: Agent | false): ClientRequest => {
    const asked = send(INGRESS_URL, { method, path, headers, agent });
    asked.on("response", (answer) => {
      if (response.destroyed) return answer.destroy();
      response.writeHead(answer.statusCode!, answer.statusMessage, answerFields(answer));
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    asked.on("error", (error) => {
      if (response.headersSent || response.destroyed) return;
      // Isola closed a connection that we had kept, before it saw the request.
      if (asked.reusedSocket) return ask(false);
      console.error(`Cannot reach ${INGRESS_URL}: ${error.message}`);
      refuse(response, 502, "Isola does not answer");
    });
    response.on("close", () => {
      if (!response.writableFinished) asked.destroy();
    });
    return hasBody ? request.pipe(asked) : asked.end();
  };
  // A body cannot be sent twice: it goes over a connection that nobody has kept.
  ask(hasBody ? false : kept);
}

/** Each connection of ours has a framing of its own. */
function answerFields(answer: IncomingMessage): string[] {
  const fields = passedOn(answer);
  return fields.filter((_, index) => !/^transfer-encoding$/i.test(fields[index - index % 2]!));
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}

/** A WebSocket: after the handshake its bytes go to and fro as they are. */
async function relayUpgrade(request: IncomingMessage, visitor: Duplex, early: Uint8Array): Promise<void> {
  visitor.on("error", () => visitor.destroy());
  const fields = await signedFields(request);
  if (!fields) return void visitor.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
  const headers = [...fields, "connection", "upgrade", "upgrade", request.headers.upgrade!];
  const asked = send(INGRESS_URL, { path: request.url, headers, agent: false });
  asked.on("upgrade", (answer, isola: Duplex, earlyAnswer) => {
    visitor.write(headOf(answer, ["connection", "upgrade", "upgrade", answer.headers.upgrade!]));
    visitor.write(earlyAnswer);
    isola.write(early);
    isola.on("error", () => isola.destroy());
    isola.on("close", () => visitor.destroy());
    visitor.on("close", () => isola.destroy());
    isola.pipe(visitor).pipe(isola);
  });
  asked.on("response", (answer) => {
    visitor.write(headOf(answer, ["connection", "close"]));
    answer.on("error", () => visitor.destroy());
    answer.pipe(visitor);
  });
  asked.on("error", (error) => {
    console.error(`Cannot reach ${INGRESS_URL}: ${error.message}`);
    visitor.destroy();
  });
  visitor.on("close", () => asked.destroy());
  asked.end();
}

function headOf(answer: IncomingMessage, further: string[]): string {
  const fields = [...answerFields(answer), ...further];
  const lines = fields.flatMap((name, index) => index % 2 === 0 ? [`${name}: ${fields[index + 1]}\r\n`] : []);
  return `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines.join("")}\r\n`;
}

// Node's own limit ends an upload after five minutes.
const server = createServer({ requestTimeout: 0 });
server.on("request", (request, response) => {
  relay(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
server.on("upgrade", (request, visitor, early) => {
  relayUpgrade(request, visitor, early).catch((error) => {
    console.error(error);
    visitor.destroy();
  });
});
server.listen(Number(RELAY_URL.port), RELAY_URL.hostname, () => {
  const { port } = server.address() as AddressInfo;
  console.log(`Relay for ${SUBHOSTER_ID} on http://${RELAY_URL.hostname}:${port}/`);
});
