import assert from "node:assert/strict";
import { constants } from "node:http2";
import { Http2Visitor } from "./http2_visitor.ts";
import { Load } from "./load.ts";
import { isRunning } from "./processes.ts";
import { appSource, startTestServer, type TestServer, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";
import { VisitorSocket } from "./visitor_socket.ts";

const MIB = 1024 * 1024;
const WIRE = "wire.apps.test";
const SOCKETS = "sockets.apps.test";
const FRESH_VISITORS = 4;

/** The same again, beside a server, in whose place it comes. */
function startBeside({ dataDir, httpPort, httpsPort, controlUrl }: TestServer): Promise<TestServer> {
  return startTestServer({
    dataDir,
    args: ["--take-over", "--config", `${dataDir}/isola.yaml`],
    env: {
      ISOLA_HTTP_ADDR: `127.0.0.1:${httpPort}`,
      ISOLA_HTTPS_ADDR: `127.0.0.1:${httpsPort}`,
      ISOLA_CONTROL_ADDR: controlUrl.slice("http://".length),
    },
  });
}

Deno.test("No visitor by TLS notices that another server takes over", async () => {
  using ca = await TestCa.make();
  await using first = await startTestServer({
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
    config: { baseDomain: "apps.test", tls: { certificates: [await ca.write([WIRE, SOCKETS])] } },
  });
  await first.deploy("sockets", appSource("sockets.ts"));
  const { id } = await first.deploy("wire", appSource("wire.ts"));
  const { httpsPort: port } = first;
  const tls = { serverName: WIRE, ca: ca.certificate };
  const load = new Load();
  for (let i = 0; i < FRESH_VISITORS; i++) {
    load.add("new connections", async () => {
      using client = await TlsClient.open(port, tls);
      await client.write(`GET /head HTTP/1.1\r\nHost: ${WIRE}\r\nConnection: close\r\n\r\n`);
      assert.match(await client.receiveAll(), /^HTTP\/1\.1 200 OK\r\n[^]*twelve bytes$/);
    });
  }
  await using socket = await VisitorSocket.open(port, SOCKETS, "/", { ca: ca.certificate });
  await using idle = await Http2Visitor.open({ port, ...tls });
  assert.equal((await idle.get("/head")).status, 200);
  const download = new Deno.Command("curl", {
    args: [
      ...["-sS", "--http2", "--cacert", ca.path, "--resolve", `${WIRE}:${port}:127.0.0.1`],
      ...["--limit-rate", "8M", "-o", "/dev/null", "-w", "%{http_version} %{size_download}"],
      `https://${WIRE}:${port}/bytes?n=${32 * MIB}`,
    ],
  }).output();
  await until("it is in flight", async () => ((await first.isolate(id))?.inFlight ?? 0) > 0);
  await until("visitors are answered", () => load.answered > 100);

  await using second = await startBeside(first);
  await idle.closed;
  assert.equal(idle.goaways[0], constants.NGHTTP2_NO_ERROR);
  assert.equal((await socket.closed).code, 1001);
  const { stdout, stderr } = await download;
  assert.equal(new TextDecoder().decode(stdout), `2 ${32 * MIB}`, new TextDecoder().decode(stderr));
  await until("the older server ends", () => !isRunning(first.pid), 20_000, () => first.output);
  assert.equal((await first.kill("SIGTERM")).code, 0);
  const before = load.answered;
  await until("the younger one answers", () => load.answered > before + 100);
  await load.end();
  assert.equal(second.httpsPort, port);
});
