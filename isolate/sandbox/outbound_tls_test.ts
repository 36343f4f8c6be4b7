import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import type net from "node:net";
import tls from "node:tls";
import { makeCertificates } from "./testing/certificates.ts";
import { ATTEMPT, OutboundTrial } from "./testing/outbound_trial.ts";

Deno.test("TLS is between the program and its target", async () => {
  const { ca, server, client } = await makeCertificates();
  const web = https.createServer(
    { ...server, ca, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { subject } = (request.socket as tls.TLSSocket).getPeerCertificate();
      response.end(`from ${subject?.CN ?? "nobody"}`);
    },
  );
  const echo = tls.createServer({ ...server, ALPNProtocols: ["echo"] }, (socket) => {
    socket.on("error", () => {});
    socket.write("first ");
    socket.once("data", (data) => socket.end(data));
  });
  const web2 = http2.createSecureServer(server).on("stream", (stream, headers) => {
    stream.respond({ ":status": 200 });
    stream.end(`h2 ${headers[":path"]}`);
  });
  const servers = { web, echo, web2 };
  const ports: Record<string, number> = {};
  for (const [name, each] of Object.entries(servers)) {
    await once(each.listen(0, "127.0.0.1"), "listening");
    ports[name] = (each.address() as net.AddressInfo).port;
  }
  try {
    await using trial = await OutboundTrial.start({ allowPrivate: ["localhost", "127.0.0.1"] });
    const program = `${ATTEMPT}
      const { ca, client, ports } = input;
      const https = (await import("node:https")).default;
      const http2 = (await import("node:http2")).default;
      const net = (await import("node:net")).default;
      const tls = (await import("node:tls")).default;
      const text = (stream) => new Promise((resolve, reject) => {
        let text = "";
        stream.on("data", (data) => text += data).on("end", () => resolve(text)).on("error", reject);
      });
      const get = (options) => new Promise((resolve, reject) =>
        https.get({ host: "localhost", port: ports.web, agent: false, ...options }, (response) => resolve(text(response))).on("error", reject));
      const speak = async (connection) => {
        await connection.write(new TextEncoder().encode("x"));
        return [await new Response(connection.readable).text(), connection.remoteAddr.port === ports.echo];
      };
      const hostname = "localhost";
      const caCerts = [ca];
      const certified = await Deno.connectTls({ hostname, port: ports.web, caCerts, ...client });
      await certified.write(new TextEncoder().encode("GET / HTTP/1.0\\r\\n\\r\\n"));
      const session = http2.connect("https://localhost:" + ports.web2, { ca });
      const secured = (options) => text(tls.connect({ ca, ...options }, function () { this.write("x"); }));
      const upgraded = net.connect(ports.echo, "localhost");
      await new Promise((resolve) => upgraded.once("connect", resolve));
      const results = {
        fetch: await (await fetch("https://localhost:" + ports.web, { client: Deno.createHttpClient({ caCerts, ...client }) })).text(),
        fetch2: await (await fetch("https://localhost:" + ports.web2 + "/f", { client: Deno.createHttpClient({ caCerts }) })).text(),
        untrusted: await attempt(fetch("https://localhost:" + ports.web)),
        connectTls: await speak(await Deno.connectTls({ hostname, port: ports.echo, caCerts, alpnProtocols: ["echo"] })),
        startTls: await speak(await Deno.startTls(await Deno.connect({ hostname, port: ports.echo }), { hostname, caCerts })),
        certified: (await new Response(certified.readable).text()).split("\\r\\n").at(-1),
        badKey: await attempt(Deno.connectTls({ hostname, port: ports.web, caCerts, cert: client.cert, key: "?" })),
        https: await get({ ca, ...client }),
        httpsUntrusted: await attempt(get({})),
        tls: await secured({ host: "localhost", port: ports.echo }),
        tlsUpgraded: await secured({ socket: upgraded, servername: "localhost" }),
        http2: await text(session.request({ ":path": "/n" })),
        refused: await attempt(secured({ host: "10.0.0.1", port: 443 })),
      };
      session.close();
      return results;
    `;
    const result = await trial.run<Record<string, string>>(program, { ca, client, ports });
    assert.match(result.untrusted!, /^TypeError/);
    assert.match(result.badKey!, /^InvalidData/);
    assert.match(result.httpsUntrusted!, /^Error (SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/);
    for (const name of ["untrusted", "badKey", "httpsUntrusted"]) delete result[name];
    assert.deepEqual(result, {
      fetch: "from client",
      fetch2: "h2 /f",
      connectTls: ["first x", true],
      startTls: ["first x", true],
      certified: "from client",
      https: "from client",
      tls: "first x",
      tlsUpgraded: "first x",
      http2: "h2 /n",
      refused: 'NotCapable Requires net access to "10.0.0.1:443", which this deployment does not have',
    });
  } finally {
    for (const each of Object.values(servers)) each.close();
  }
});
