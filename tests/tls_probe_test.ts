/** What a scanner such as testssl.sh would look for. */
import assert from "node:assert/strict";
import { helloMessage, records } from "../runner/front/testing/hello.ts";
import { SClient, sClient } from "../runner/front/testing/s_client.ts";
import { serverForTests, until } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient } from "./tls_client.ts";

const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: "SHA-256",
};
/** Authenticated encryption and a key that is forgotten. */
const CIPHERS =
  /^(TLS_(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)|ECDHE-(ECDSA|RSA)-(AES128-GCM-SHA256|AES256-GCM-SHA384|CHACHA20-POLY1305))$/;
/** What openssl may still know of the past. */
const ANYTHING = "ALL:COMPLEMENTOFALL@SECLEVEL=0";
/** Alerts (RFC 8446 §6). */
const HANDSHAKE_FAILURE = 40;
const PROTOCOL_VERSION = 70;

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  const certificates = [
    await ca.write(["ec.apps.test"]),
    await ca.write(["rsa.apps.test"], { algorithm: RSA }),
  ];
  return {
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
    config: { baseDomain: "apps.test", tls: { certificates } },
  };
});
Deno.test.beforeAll(async () => {
  await suite.server.deploy("rsa", `Deno.serve(() => new Response("hello"));`);
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

/** What openssl's client says of a handshake with more arguments. */
async function probe(name: string, args: string[]): Promise<string> {
  const { output } = await sClient(suite.server.httpsPort, ["-servername", name, ...args]);
  return output;
}

/** The suite that was agreed on; `null` = none. */
function cipherIn(output: string): string | null {
  const cipher = /^New, TLSv[\d.]+, Cipher is (\S+)$/m.exec(output)?.[1] ?? "(NONE)";
  return cipher === "(NONE)" ? null : cipher;
}

Deno.test("Only TLS 1.2 and 1.3 are spoken", async () => {
  for (
    const [version, isSpoken] of [["tls1", false], ["tls1_1", false], ["tls1_2", true], ["tls1_3", true]]
  ) {
    const output = await probe("ec.apps.test", [`-${version}`, "-cipher", ANYTHING]);
    assert.equal(cipherIn(output) !== null, isSpoken, output);
  }
  // The versions that openssl has forgotten, too: SSL 3.0, and 2.0 with a hello of its own.
  for (const minor of [0, 1, 2]) {
    const message = helloMessage({ serverName: "ec.apps.test" });
    message[5] = minor;
    using client = await TlsClient.open(suite.server.httpsPort, null);
    const hello = records(message);
    hello[2] = minor;
    await client.write(hello);
    const [type, , , , , level, alert] = [...await client.receiveAll()].map((char) => char.charCodeAt(0));
    assert.deepEqual([type, level], [21, 2], `3.${minor}`);
    assert.ok(alert === HANDSHAKE_FAILURE || alert === PROTOCOL_VERSION, `3.${minor}: alert ${alert}`);
  }
  using client = await TlsClient.open(suite.server.httpsPort, null);
  await client.write(Uint8Array.of(0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80));
  assert.equal(await client.receiveAll(), "");
});

/** The suites that are taken of a list: what is agreed on is not offered again, until nothing is. */
async function takenOf(offered: readonly string[], name: string, args: readonly string[]): Promise<string[]> {
  const output = await probe(name, [...args, offered.join(":")]);
  const cipher = cipherIn(output);
  if (cipher === null) return [];
  const rest = offered.filter((other) => other !== cipher);
  assert.ok(rest.length < offered.length, `${cipher} was not offered`);
  return [cipher, ...await takenOf(rest, name, args)];
}

Deno.test("Of all suites only those with authenticated encryption and forward secrecy are taken", async () => {
  const { stdout } = await new Deno.Command("openssl", { args: ["ciphers", ANYTHING] }).output();
  const known = new TextDecoder().decode(stdout).trim().split(":");
  const [newer, older] = [true, false].map((isNewer) =>
    known.filter((name) => name.startsWith("TLS_") === isNewer)
  );
  const taken = [
    ...await takenOf([...newer!, "TLS_AES_128_CCM_SHA256"], "ec.apps.test", ["-tls1_3", "-ciphersuites"]),
    ...await takenOf([...older!, "@SECLEVEL=0"], "ec.apps.test", ["-tls1_2", "-cipher"]),
    ...await takenOf([...older!, "@SECLEVEL=0"], "rsa.apps.test", ["-tls1_2", "-cipher"]),
  ];
  for (const cipher of taken) assert.match(cipher, CIPHERS);
  assert.equal(taken.length, 9, taken.join());
});

Deno.test("Nothing is compressed, sent early or negotiated anew", async () => {
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const output = await probe("ec.apps.test", [version, "-comp"]);
    assert.match(output, /^Compression: NONE$/m);
    assert.doesNotMatch(output, /Max Early Data: [1-9]/);
  }
  using client = new SClient(suite.server.httpsPort, ["-servername", "rsa.apps.test", "-tls1_2"]);
  await client.write("GET / HTTP/1.1\r\nHost: rsa.apps.test\r\n\r\n");
  await until("it answers", () => client.output.includes("hello"));
  await client.write("R\n");
  await client.end();
  const { output } = await client.finish();
  assert.match(output, /^Secure Renegotiation IS supported$/m);
  assert.match(output, /RENEGOTIATING[^]*no.renegotiation/i);
});

Deno.test("A session is resumed, by either version", async () => {
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const session = await Deno.makeTempFile();
    for (const [flag, said] of [["-sess_out", /^New, TLSv1/m], ["-sess_in", /^Reused, TLSv1/m]] as const) {
      using client = new SClient(suite.server.httpsPort, [
        "-servername",
        "rsa.apps.test",
        version,
        flag,
        session,
      ]);
      await client.write("GET / HTTP/1.1\r\nHost: rsa.apps.test\r\n\r\n");
      // The tickets come before the first answer.
      await until("it answers", () => client.output.includes("hello"));
      await client.end();
      assert.match((await client.finish()).output, said, version);
    }
    await Deno.remove(session);
  }
});

Deno.test("The chain is served whole, with a key of either kind", async () => {
  const verify = ["-CAfile", ca.path, "-verify_return_error", "-showcerts"];
  for (const [name, key] of [["ec.apps.test", "ECDSA"], ["rsa.apps.test", "RSA-PSS"]] as const) {
    const output = await probe(name, [...verify, "-verify_hostname", name]);
    assert.match(output, /^Verify return code: 0 \(ok\)$/m, output);
    assert.equal(output.match(/-----BEGIN CERTIFICATE-----/g)?.length, 2);
    assert.match(output, new RegExp(`^Peer signature type: ${key}`, "mi"));
  }
});

Deno.test("ALPN prefers HTTP/2, and refuses what nobody speaks here", async () => {
  for (
    const [offered, agreed] of [
      ["http/1.1,h2", "ALPN protocol: h2"],
      ["http/1.1", "ALPN protocol: http/1.1"],
      ["h3,http/1.1", "ALPN protocol: http/1.1"],
      ["spdy/3", "alert no application protocol"],
      ["acme-tls/1", "alert no application protocol"],
    ]
  ) {
    assert.ok((await probe("ec.apps.test", ["-alpn", offered!])).includes(agreed!), offered);
  }
  assert.ok((await probe("ec.apps.test", [])).includes("No ALPN negotiated"));
});
