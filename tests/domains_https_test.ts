/** From nothing to a domain's own HTTPS, as a new user gets there; the certificates are those of Let's Encrypt's test server. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { Pebble } from "../control/certificates/acme/testing/pebble.ts";
import { environmentOf, isola } from "./isola_command.ts";
import { LoggedProcess } from "./logged_process.ts";
import { servedLeaf } from "./served_leaf.ts";
import { ISOLA, startTestServer, type TestServer, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";
import { BrowserHome, hasTrustingBrowser } from "./trusting_browser.ts";

const SHOP = `
  Deno.serve((request) => {
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send("echo " + data);
      return response;
    }
    return new Response("<!doctype html><title>shop</title><h1>Open</h1>", {
      headers: { "content-type": "text/html" },
    });
  });
`;
const ELSEWHERE = "192.0.2.1";
const HERE = "127.0.0.1";
const hasPebble = await Deno.stat("/usr/bin/pebble").then(() => true, () => false);

let ca: TestCa;
let pebble: Pebble;
let root: string;
let dataDir: string;
let server: TestServer;

Deno.test.beforeAll(async () => {
  if (!hasPebble) return;
  ca = await TestCa.make();
  dataDir = await Deno.makeTempDir({ prefix: "isola-test-" });
  const httpPort = freePort();
  pebble = await Pebble.start({ httpPort, authorizationReusePercent: 0 });
  root = await pebble.root();
  server = await start(httpPort);
  await server.deploy("shop", SHOP);
});
Deno.test.afterAll(async () => {
  if (!hasPebble) return;
  await server[Symbol.asyncDispose]();
  await pebble[Symbol.asyncDispose]();
  await Deno.remove(dataDir, { recursive: true });
  ca[Symbol.dispose]();
});

/** A port that nobody listens on now: the test server of Let's Encrypt has to know where it will find us. */
function freePort(): number {
  using listener = Deno.listen({ hostname: HERE, port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function start(httpPort: number): Promise<TestServer> {
  return startTestServer({
    dataDir,
    env: { ISOLA_HTTP_ADDR: `${HERE}:${httpPort}`, ISOLA_HTTPS_ADDR: `${HERE}:0` },
    config: {
      baseDomain: "apps.test",
      dns: { servers: [pebble.dnsServer] },
      tls: {
        acme: { terms: true, directory: pebble.directory, email: "admin@apps.test", caFile: pebble.caFile },
      },
    },
  });
}

function acmeTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !hasPebble, fn });
}

async function run(...args: string[]): Promise<string> {
  const { code, out, err } = await isola(args, environmentOf(server));
  assert.equal(code, 0, `isola ${args.join(" ")}: ${err}`);
  return out + err;
}

acmeTest(
  "One command takes a domain from registration to its certificate, and says what it waits for",
  async () => {
    await pebble.setA("shop.test", [ELSEWHERE]);
    const command = [...ISOLA, "domains", "add", "shop.test", "--project", "shop"];
    await using adding = new LoggedProcess(command, { env: environmentOf(server) });
    const says = (pattern: RegExp) =>
      until(
        `it says ${pattern}`,
        () => pattern.test(adding.output),
        30_000,
        () => adding.output + server.output,
      );
    await says(/TXT +_isola\.shop\.test +isola-verification=/);
    await says(/Waiting: .*"shop\.test" leads to 192\.0\.2\.1, not to 127\.0\.0\.1/);
    await pebble.setA("shop.test", [HERE]);
    await says(/certificate +ec, until \d{4}/);
    await until("it ends", () => !adding.isRunning);
    assert.equal((await adding.kill("SIGTERM")).code, 0);

    using client = await TlsClient.open(server.httpsPort, { serverName: "shop.test", ca: root });
    await client.write("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n");
    assert.match(await client.receiveAll(), /^HTTP\/1\.1 200 OK\r\n[^]*<h1>Open/);
    const plain = await server.fetch("shop.test", "/a");
    await plain.body?.cancel();
    assert.equal(plain.status, 308);
  },
);

acmeTest(
  "A project's own name gets its certificate when the first visitor comes, an unknown one none",
  async () => {
    using client = await TlsClient.open(server.httpsPort, { serverName: "shop.apps.test", ca: root });
    await client.write("GET / HTTP/1.1\r\nHost: shop.apps.test\r\nConnection: close\r\n\r\n");
    assert.match(await client.receiveAll(), /^HTTP\/1\.1 200 OK\r\n/);
    for (const serverName of ["nobody.apps.test", "apps.test"]) {
      await assert.rejects(TlsClient.open(server.httpsPort, { serverName, ca: root }), /UnrecognisedName/);
    }
  },
);

acmeTest(
  "A domain that is not verified is not ordered for, and the command says what is missing",
  async () => {
    await pebble.setA("other.test", [ELSEWHERE]);
    await run("domains", "add", "other.test", "--no-wait");
    for (const action of ["verify", "provision"]) {
      const { code, err } = await isola(["domains", action, "other.test"], environmentOf(server));
      assert.equal(code, 1);
      assert.match(
        err,
        /Cannot verify domain "other\.test": there is no TXT record at "_isola\.other\.test"/,
      );
      assert.match(err, /leads to 192\.0\.2\.1/);
    }
    assert.match(await run("domains", "show", "other.test"), /not verified[^]*none yet/);
    await assert.rejects(
      TlsClient.open(server.httpsPort, { serverName: "other.test", ca: root }),
      /UnrecognisedName/,
    );
  },
);

Deno.test({
  name: "Chromium shows the domain by HTTP/2, and its WebSocket lives through swaps of the certificate",
  ignore: !hasPebble || !hasTrustingBrowser,
  // The library keeps timers and pipes of its own until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    using home = new BrowserHome();
    await Deno.writeTextFile(`${home.path}/root.pem`, root);
    await home.trust("Pebble", `${home.path}/root.pem`);
    await home.trust("Own", ca.path);
    const browser = await home.launch("MAP *.test 127.0.0.1");
    try {
      const page = await browser.newPage();
      const url = `https://shop.test:${server.httpsPort}/`;
      await page.goto(url);
      assert.equal(await page.locator("h1").innerText(), "Open");
      assert.equal(await protocolOf(page), "h2");
      await page.evaluate(openSocket);
      assert.equal(await page.evaluate(say, "one"), "echo one");

      const own = await ca.write(["shop.test"]);
      const leaves = new Set([await servedLeaf(server.httpsPort, "shop.test")]);
      for (let i = 0; i < 2; i++) {
        await run("domains", "certificate", "shop.test", "--chain", own.cert, "--key", own.key);
        leaves.add(await servedLeaf(server.httpsPort, "shop.test"));
        assert.equal(await page.evaluate(say, `own ${i}`), `echo own ${i}`);
        await run("domains", "provision", "shop.test");
        leaves.add(await servedLeaf(server.httpsPort, "shop.test"));
        assert.equal(await page.evaluate(say, `ordered ${i}`), `echo ordered ${i}`);
        await page.reload();
        assert.equal(await protocolOf(page), "h2");
        await page.evaluate(openSocket);
      }
      assert.equal(leaves.size, 4);
    } finally {
      await browser.close();
    }
  },
});

Deno.test({
  name: "After a restart the certificates are those from before",
  ignore: !hasPebble,
  // It ends the server of all tests, and starts the next.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const names = ["shop.test", "shop.apps.test"];
    const before = await Promise.all(names.map((name) => servedLeaf(server.httpsPort, name)));
    const { httpPort } = server;
    await server[Symbol.asyncDispose]();
    server = await start(httpPort);
    assert.deepEqual(await Promise.all(names.map((name) => servedLeaf(server.httpsPort, name))), before);
    assert.match(await run("domains", "show", "shop.test"), /verified[^]*ec, until/);
  },
});

/** By which the page came. */
function protocolOf(page: Page): Promise<string> {
  return page.evaluate(() =>
    (performance.getEntriesByType("navigation")[0] as unknown as { nextHopProtocol: string }).nextHopProtocol
  );
}

/** Runs in the page. */
function openSocket(): Promise<void> {
  const socket = new WebSocket(location.href.replace("http", "ws"));
  Object.assign(globalThis, { socket });
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = () => reject(new Error("The WebSocket was closed"));
  });
}

/** Runs in the page. */
function say(message: string): Promise<string> {
  const { socket } = globalThis as unknown as { socket: WebSocket };
  if (socket.readyState !== WebSocket.OPEN) throw new Error("The WebSocket is closed");
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve(data);
    socket.send(message);
  });
}
