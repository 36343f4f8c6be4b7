import { type Attack, attacksOf } from "./attack.ts";
import { WORKERS } from "./workers.ts";

/** In programs: what the clients of `node:*` share. */
export const NETWORK = `${WORKERS}
  import dgram from "node:dgram";
  import dns from "node:dns";
  import http from "node:http";
  import http2 from "node:http2";
  import https from "node:https";
  import net from "node:net";
  import tls from "node:tls";
  const bare = (host) => host.replace(/^\\[(.*)\\]$/, "$1");
  const ended = async (emitter, event) => {
    try { await settled(emitter, event); return "connected"; } finally { emitter.destroy?.(); }
  };
`;

/** Every client that the runtime has, as code that gets something from a host and a port. */
const CLIENTS: Record<string, (host: string, port: string) => string> = {
  "fetch": (host, port) => "return await (await fetch(`http://${" + host + "}:${" + port + "}/`)).text()",
  "fetch by TLS": (host, port) =>
    "return await (await fetch(`https://${" + host + "}:${" + port + "}/`)).text()",
  "Deno.connect": (host, port) =>
    `using conn = await Deno.connect({ hostname: bare(${host}), port: ${port} }); return conn.remoteAddr.port`,
  "Deno.connectTls": (host, port) =>
    `using conn = await Deno.connectTls({ hostname: bare(${host}), port: ${port} }); return conn.remoteAddr.port`,
  "WebSocket": (host, port) =>
    "const socket = new WebSocket(`ws://${" + host + "}:${" + port + "}/`);" +
    `return await new Promise((resolve, reject) => {
      socket.onopen = () => resolve("open");
      socket.onerror = ({ error, message }) => reject(error ?? new Error("Requires net access: " + message));
    });`,
  "an HTTP client with a proxy": (host, port) =>
    "using client = Deno.createHttpClient({ proxy: { url: `http://${" + host + "}:${" + port + "}/` } });" +
    `return await (await fetch("http://192.0.2.1/", { client })).text()`,
  "node:net": (host, port) => `return await ended(net.connect(${port}, bare(${host})), "connect")`,
  "node:tls": (host, port) => `return await ended(tls.connect(${port}, bare(${host})), "secureConnect")`,
  "node:http": (host, port) =>
    `return (await settled(http.get({ host: bare(${host}), port: ${port} }), "response")).statusCode`,
  "node:https": (host, port) =>
    `return (await settled(https.get({ host: bare(${host}), port: ${port} }), "response")).statusCode`,
  "node:http2": (host, port) =>
    "return await ended(http2.connect(`http://${" + host + "}:${" + port + "}`), 'connect')",
};

/** What is on this machine or in its network, in every spelling. */
const LOOPBACK: string[] = [
  "127.0.0.1",
  "127.0.0.2",
  "127.255.255.254",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "anything.localhost",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[0:0:0:0:0:ffff:7f00:0001]",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "127.1",
  "0177.0.0.1",
  "0.0.0.0",
  "0",
  "[::]",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[::127.0.0.1]",
];
const ELSEWHERE: string[] = [
  "10.0.0.1",
  "100.64.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "192.168.0.1",
  "[::ffff:169.254.169.254]",
  "[::ffff:10.0.0.1]",
  "[fd00:ec2::254]",
  "[fd00::1]",
  "[fe80::1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b::a9fe:a9fe]",
  "[2002:7f00:1::]",
];

function matrix(code: (host: string, port: string) => string, hosts: string[], port: string) {
  return Object.fromEntries(hosts.map((host) => [host, code(JSON.stringify(host), port)]));
}

/** Every spelling of what is not public, by each client: so many at a time that none is refused for being too many. */
export const ADDRESS_ATTACKS: Record<string, Attack[]> = Object.fromEntries(
  Object.entries(CLIENTS).map(([client, code]) => [
    client,
    attacksOf({
      ...matrix(code, LOOPBACK, "T.port"),
      ...matrix(code, ELSEWHERE, "80"),
    }),
  ]),
);

/** By each client, to what may be reached: a client that does not work is not to be taken for one that is refused. */
export const ALLOWED_ATTACKS: Record<string, Attack[]> = Object.fromEntries(
  Object.entries(CLIENTS).filter(([client]) => !client.includes("proxy")).map(([client, code]) => [
    client,
    attacksOf(matrix(code, ["127.0.0.1", "localhost"], "T.port")),
  ]),
);

/** Other ways to the network than to name a host. */
export const NETWORK_ATTACKS: Attack[] = attacksOf({
  "the machine by its name": [
    `return await (await fetch("http://" + T.hostname + ":" + T.port)).text()`,
    "process",
  ],
  "the machine by its addresses": [
    `
    const errors = [];
    for (const address of T.addresses.filter((address) => !address.startsWith("127."))) {
      const host = address.includes(":") ? "[" + address + "]" : address;
      try { return await (await fetch("http://" + host + ":" + T.port)).text(); } catch (error) { errors.push(error); }
    }
    throw errors[0] ?? new Error("NotCapable: it has none");`,
    "process",
  ],
  "a name that leads to loopback": `return await (await fetch("http://localtest.me:" + T.port)).text()`,
  "a unix socket": `return (await Deno.connect({ transport: "unix", path: T.unixPath })).rid`,
  "a unix socket by node": `return await ended(net.connect(T.unixPath), "connect")`,
  "a unix socket by an HTTP client": `
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path: T.unixPath } });
    return await (await fetch("http://127.0.0.1/", { client })).text()`,
  "an abstract socket": [
    `using conn = await Deno.connect({ transport: "unix", path: "\\0" + T.abstractName }); return conn.remoteAddr.path`,
    "process",
  ],
  "an abstract socket by node": [
    `return await ended(net.connect("\\0" + T.abstractName), "connect")`,
    "process",
  ],
  "the neighbour's socket":
    `return (await Deno.connect({ transport: "unix", path: T.victimSockets + "/http.sock" })).rid`,
  "its own keeper":
    `return (await Deno.connect({ transport: "unix", path: T.sockets + "/control.sock" })).rid`,
  "its own way out":
    `return (await Deno.connect({ transport: "unix", path: T.sockets + "/egress.sock" })).rid`,
  "the hypervisor": `return (await Deno.connect({ transport: "vsock", cid: 2, port: 1 })).rid`,
  "a datagram": `
    const socket = dgram.createSocket("udp4");
    return await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.bind(() => socket.send("x", T.port, "127.0.0.1", (error) => error ? reject(error) : resolve("sent")));
    })`,
  "a listener": `return Deno.listen({ port: 0 }).addr.port`,
  "a listener for TLS": `return Deno.listenTls({ port: 0, cert: "", key: "" }).addr.port`,
  "a listener by node": `return await ended(net.createServer().listen(0, "127.0.0.1"), "listening")`,
  "a listener of a Worker": `
    return await inWorker("postMessage('got ' + Deno.listen({ port: 0 }).addr.port)")`,
  // Its realm is none of ours: there it is the kernel that refuses.
  "a listener of a Worker of node": `
    return await inNodeWorker("parentPort.postMessage('got ' + Deno.listen({ hostname: '127.0.0.1', port: 0 }).addr.port)")`,
  "a server of a Worker of node": `
    return await inNodeWorker("Deno.serve({ port: 0, onListen: ({ port }) => parentPort.postMessage('got ' + port) }, () => new Response())")`,
  "a listener by node of a Worker of node": `
    return await inNodeWorker("require('node:net').createServer().listen(0, '127.0.0.1', () => parentPort.postMessage('got')).on('error', (error) => parentPort.postMessage('refused ' + error))")`,
  "a socket for datagrams of a Worker of node": `
    return await inNodeWorker("require('node:dgram').createSocket('udp4').bind(0, () => parentPort.postMessage('got')).on('error', (error) => parentPort.postMessage('refused ' + error))")`,
  "a name server of its own choice": `
    return await Deno.resolveDns("localhost", "A", { nameServer: { ipAddr: "127.0.0.1", port: T.port } })`,
  "the records of a private name":
    `const records = await Deno.resolveDns(T.hostname, "A"); if (records.length) return records; throw new Error("NotFound")`,
  "a Worker of node": `
    return await inNodeWorker('fetch("http://127.0.0.1:" + ' + T.port + ').then((r) => r.text()).then((t) => parentPort.postMessage("got " + t), (e) => parentPort.postMessage("refused " + e + e.cause))')`,
});
