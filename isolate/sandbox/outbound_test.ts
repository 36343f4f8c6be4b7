import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { ATTEMPT, OutboundTrial } from "./testing/outbound_trial.ts";

/** A web server that says what it is asked for, and has a WebSocket and an event stream. */
function serve(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, host } = new URL(request.url);
    if (request.headers.has("upgrade")) {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
      return response;
    }
    if (pathname === "/redirect") return Response.redirect("http://10.0.0.1/");
    if (pathname === "/events") {
      return new Response("data: event\n\n", { headers: { "content-type": "text/event-stream" } });
    }
    return new Response(`${request.method} ${host}${pathname}`);
  });
}

/** Runs a test against {@linkcode serve}, which programs may reach by both its names. */
async function withServer(run: (trial: OutboundTrial, port: number) => Promise<void>) {
  const server = serve();
  const { port } = server.addr;
  try {
    await using trial = await OutboundTrial.start({
      allowPrivate: [`localhost:${port}`, `127.0.0.1:${port}`],
    });
    await run(trial, port);
  } finally {
    await server.shutdown();
  }
}

/** A port of this machine that nobody listens on. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("fetch, HTTP clients, WebSocket and EventSource go by way of the proxy, by name and by address", () =>
  withServer(async (trial, port) => {
    const program = `
      const base = "localhost:" + input;
      const client = Deno.createHttpClient({});
      const socket = new WebSocket("ws://" + base);
      socket.onopen = () => socket.send("hello");
      const echo = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
      const events = new EventSource("http://" + base + "/events");
      const event = new Promise((resolve) => events.onmessage = ({ data }) => resolve(data));
      return [
        await (await fetch("http://" + base + "/a", { method: "POST" })).text(),
        await (await fetch("http://127.0.0.1:" + input + "/b")).text(),
        await (await fetch("http://" + base + "/c", { client })).text(),
        await echo,
        await event,
      ];
    `;
    assert.deepEqual(await trial.run(program, port), [
      `POST localhost:${port}/a`,
      `GET 127.0.0.1:${port}/b`,
      `GET localhost:${port}/c`,
      "echo hello",
      "event",
    ]);
    assert.ok(await trial.connections() >= 4);
  }));

Deno.test("what the proxy refuses is a missing permission to fetch, all else its own failure", () =>
  withServer(async (trial, port) => {
    const program = `${ATTEMPT}
      return {
        address: await attempt(fetch("http://10.0.0.1/")),
        secure: await attempt(fetch("https://[fd00::1]/")),
        port: await attempt(fetch("http://localhost:1234/")),
        redirected: await attempt(fetch("http://localhost:" + input.port + "/redirect")),
        ownProxy: await attempt((async () => Deno.createHttpClient({ proxy: { url: "http://10.0.0.1:3128" } }))()),
        closed: await attempt(fetch("http://localhost:" + input.closed + "/")),
        cause: await fetch("http://10.0.0.1/").catch((error) => error.cause.name),
        webSocket: await new Promise((resolve) => new WebSocket("ws://10.0.0.1").onerror = ({ message }) => resolve(message)),
        name: fetch.name,
      };
    `;
    const closed = closedPort();
    const result = await trial.run<Record<string, string>>(program, { port, closed });
    const requires = (target: string) =>
      `NotCapable Requires net access to "${target}", which this deployment does not have`;
    assert.match(result.webSocket!, /not allowed/);
    delete result.webSocket;
    assert.deepEqual(result, {
      address: requires("10.0.0.1:80"),
      secure: requires("[fd00::1]:443"),
      port: requires("localhost:1234"),
      redirected: requires("10.0.0.1:80"),
      ownProxy: requires("10.0.0.1:3128"),
      closed: requires(`localhost:${closed}`),
      cause: "TypeError",
      name: "fetch",
    });
  }));

Deno.test("a deployment without network gets nowhere", async () => {
  await using trial = await OutboundTrial.start({ net: [] });
  const program = `${ATTEMPT}
    const net = (await import("node:net")).default;
    const dns = (await import("node:dns")).default;
    return await Promise.all([
      attempt(fetch("https://example.com/")),
      attempt(Deno.connect({ hostname: "example.com", port: 80 })),
      attempt(Deno.connectTls({ hostname: "example.com", port: 443 })),
      attempt(new Promise((_, reject) => net.connect(80, "example.com").on("error", reject))),
      attempt(Deno.resolveDns("example.com", "A")),
      attempt(dns.promises.resolve4("example.com")).then((text) => text.split(" ")[1]),
    ]);
  `;
  const requires = (target: string) =>
    `NotCapable Requires net access to "${target}", which this deployment does not have`;
  assert.deepEqual(await trial.run(program), [
    requires("example.com:443"),
    requires("example.com:80"),
    requires("example.com:443"),
    requires("example.com:80"),
    requires("example.com"),
    "EREFUSED",
  ]);
});

Deno.test("the environment does not name the proxy", async () => {
  await using trial = await OutboundTrial.start();
  assert.equal(await trial.run(`return Deno.env.get("ALL_PROXY") ?? null`), null);
});

Deno.test("Deno.connect gives a connection to the target, or the runtime's own error", () =>
  withServer(async (trial, port) => {
    const program = `${ATTEMPT}
      const { port } = input;
      using connection = await Deno.connect({ hostname: "localhost", port });
      await connection.write(new TextEncoder().encode("GET /x HTTP/1.0\\r\\nhost: h\\r\\n\\r\\n"));
      await connection.closeWrite();
      const { remoteAddr } = connection;
      const answer = await new Response(connection.readable).text();
      const aborted = AbortSignal.abort(new Error("aborted"));
      const later = new AbortController();
      const connecting = attempt(Deno.connect({ hostname: "localhost", port, signal: later.signal }));
      later.abort(new Error("aborted later"));
      return {
        remoteAddr,
        answer: answer.split("\\r\\n").at(-1),
        private: await attempt(Deno.connect({ hostname: "10.0.0.1", port: 80 })),
        loopback: await attempt(Deno.connect({ port: 1234 })),
        name: await attempt(Deno.connect({ hostname: "name.invalid", port: 80 })),
        noPort: await attempt(Deno.connect({ hostname: "localhost", port: 70000 })),
        unix: await attempt(Deno.connect({ transport: "unix", path: "/nowhere" })),
        aborted: await attempt(Deno.connect({ hostname: "localhost", port, signal: aborted })),
        abortedLater: await connecting,
      };
    `;
    assert.deepEqual(await trial.run(program, { port }), {
      remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port },
      answer: "GET h/x",
      private: 'NotCapable Requires net access to "10.0.0.1:80", which this deployment does not have',
      loopback: 'NotCapable Requires net access to "127.0.0.1:1234", which this deployment does not have',
      name: "Error failed to lookup address information: Name or service not known",
      noPort: "RangeError Invalid port (out of range): 70000",
      unix: 'NotCapable Requires write access to "/nowhere", run again with the --allow-write flag',
      aborted: "Error aborted",
      abortedLater: "Error aborted later",
    });
  }));

Deno.test("a target that does not answer is refused as the runtime would", async () => {
  const port = closedPort();
  await using trial = await OutboundTrial.start({ allowPrivate: [`localhost:${port}`] });
  const program = `${ATTEMPT}
    const net = (await import("node:net")).default;
    return [
      await attempt(Deno.connect({ hostname: "localhost", port: input })),
      await attempt(new Promise((_, reject) => net.connect(input, "localhost").on("error", reject))),
      await fetch("http://localhost:" + input).catch((error) => error.name),
    ];
  `;
  assert.deepEqual(await trial.run(program, port), [
    "ConnectionRefused ECONNREFUSED Connection refused (os error 111)",
    `Error ECONNREFUSED connect ECONNREFUSED localhost:${port}`,
    "TypeError",
  ]);
});

Deno.test("sockets of node:net, and what is made of them, go by way of the proxy", () =>
  withServer(async (trial, port) => {
    const program = `${ATTEMPT}
      const net = (await import("node:net")).default;
      const http = (await import("node:http")).default;
      const dns = (await import("node:dns")).default;
      const port = input;
      const exchange = (options) => new Promise((resolve, reject) => {
        const socket = net.connect(options, () => socket.end("GET /x HTTP/1.0\\r\\nhost: h\\r\\n\\r\\n"));
        let text = "";
        socket.on("data", (data) => text += data).on("error", reject).on("end", () =>
          resolve([socket.remoteAddress, socket.remotePort, socket.remoteFamily, text.split("\\r\\n").at(-1)].join(" ")));
      });
      const get = (url, options = {}) => new Promise((resolve, reject) => http.get(url, options, (response) => {
        let text = "";
        response.on("data", (data) => text += data).on("end", () => resolve(text));
      }).on("error", reject));
      const agent = new http.Agent({ keepAlive: true });
      const lookup = (host, options, callback) =>
        options.all ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4);
      const results = {
        name: await exchange({ host: "localhost", port }),
        oneFamily: await exchange({ host: "localhost", port, family: 4 }),
        address: await exchange({ host: "127.0.0.1", port }),
        ownLookup: await exchange({ host: "name.invalid", port, lookup }),
        dnsLookup: await exchange({ host: "localhost", port, lookup: dns.lookup }),
        http: await get("http://localhost:" + port + "/y"),
        keptAlive: [await get("http://localhost:" + port + "/1", { agent }), await get("http://localhost:" + port + "/2", { agent })],
        private: await attempt(exchange({ host: "10.0.0.1", port })),
        privateHttp: await attempt(get("http://[::1]:" + port)),
        nameless: await attempt(exchange({ host: "name.invalid", port })),
        destroyed: await new Promise((resolve) => net.connect(port, "localhost").on("close", resolve).destroy()),
      };
      agent.destroy();
      return results;
    `;
    const answer = `127.0.0.1 ${port} IPv4 GET h/x`;
    assert.deepEqual(await trial.run(program, port), {
      name: answer,
      oneFamily: answer,
      address: answer,
      ownLookup: answer,
      dnsLookup: answer,
      http: `GET localhost:${port}/y`,
      keptAlive: [`GET localhost:${port}/1`, `GET localhost:${port}/2`],
      private: `NotCapable Requires net access to "10.0.0.1:${port}", which this deployment does not have`,
      privateHttp: `NotCapable Requires net access to "[::1]:${port}", which this deployment does not have`,
      nameless: "Error ENOTFOUND getaddrinfo ENOTFOUND name.invalid",
      destroyed: false,
    });
  }));

Deno.test("a server that speaks first, floods, or hangs up is passed on as it is", async () => {
  const flood = 4_000_000;
  const server = net.createServer((socket) => {
    socket.write("220 ready\r\n");
    socket.once("data", () => socket.end(Buffer.alloc(flood)));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  try {
    await using trial = await OutboundTrial.start({ allowPrivate: ["127.0.0.1"] });
    const program = `
      const net = (await import("node:net")).default;
      const resources = () => Object.keys(Deno[Deno.internal].core.resources()).length;
      const before = resources();
      const talk = () => new Promise((resolve, reject) => {
        let greeting = "", length = 0;
        const socket = net.connect(input, "127.0.0.1").on("error", reject).on("data", (data) => {
          if (greeting === "") socket.write("go");
          greeting ||= String(data.subarray(0, 11));
          length += data.length;
        }).on("close", () => resolve([greeting, length]));
      });
      const talks = await Promise.all([talk(), talk(), talk()]);
      return [talks, resources() - before];
    `;
    const talk = ["220 ready\r\n", flood + 11];
    assert.deepEqual(await trial.run(program, port), [[talk, talk, talk], 0]);
  } finally {
    server.close();
  }
});
