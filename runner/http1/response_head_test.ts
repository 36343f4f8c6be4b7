import assert from "node:assert/strict";
import { ByteBuffer } from "./byte_buffer.ts";
import { headEnd } from "./field_scanner.ts";
import { ProtocolError, type ResponseHead, ResponseReader } from "./response_head.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

/** What is read of a head, and its fields that are passed on. */
function parse(text: string, method: string): ResponseHead & { passed: string } {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const head = new ResponseReader().read(bytes, 0, bytes.length, method);
  const out = new ByteBuffer();
  out.copyPieces(bytes, head.pieces);
  return { ...head, passed: String.fromCharCode(...out.view) };
}

const head = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;

Deno.test("a head is understood, and its end-to-end fields pass as they came", () => {
  const endToEnd = [
    "Set-Cookie: a=1",
    "X-A: \t b c \t",
    "x-nbsp:\xa0",
    "set-cookie: b=2",
    "x-empty:",
    "content-length: 1",
  ];
  const hops = ["Keep-Alive: x", "proxy-authenticate: x", "upgrade: h2c", "X-Hop: 1", "TE: x"];
  const parsed = parse(
    head("HTTP/1.1 200 OK", "connection: x-hop, content-length", ...endToEnd, ...hops, "x-last: 1"),
    "GET",
  );
  assert.equal(parsed.status, 200);
  assert.equal(parsed.passed, [...endToEnd, "x-last: 1", ""].join("\r\n"));
  assert.equal(parsed.saysDate, false);
  assert.equal(parse(head("HTTP/1.1 200 OK", "Date: x"), "GET").saysDate, true);
});

Deno.test("the framing follows RFC 9112 §6.3", () => {
  const rows: [method: string, lines: string[], framing: string, length: number, keepAlive: boolean][] = [
    ["GET", ["HTTP/1.1 200 OK", "content-length: 5"], "length", 5, true],
    ["GET", ["HTTP/1.1 200 OK", "content-length: 0"], "length", 0, true],
    ["GET", ["HTTP/1.1 200 ", "transfer-encoding: Chunked"], "chunked", 0, true],
    ["GET", ["HTTP/1.1 200 OK"], "close", 0, false],
    ["GET", ["HTTP/1.1 200 OK", "content-length: 5", "connection: close"], "length", 5, false],
    ["GET", ["HTTP/1.1 200 OK", "content-length: 5", "connection: x, Close"], "length", 5, false],
    ["GET", ["HTTP/1.1 200 OK", "content-length: 5", "connection: closed"], "length", 5, true],
    ["HEAD", ["HTTP/1.1 200 OK", "content-length: 5"], "none", 0, true],
    ["HEAD", ["HTTP/1.1 200 OK", "transfer-encoding: chunked"], "none", 0, true],
    ["HEAD", ["HTTP/1.1 200 OK"], "none", 0, true],
    ["GET", ["HTTP/1.1 204 No Content"], "none", 0, true],
    ["GET", ["HTTP/1.1 304 Not Modified", "content-length: 5"], "none", 0, true],
    ["GET", ["HTTP/1.1 101 Switching Protocols"], "none", 0, true],
  ];
  for (const [method, lines, framing, length, keepAlive] of rows) {
    const parsed = parse(head(...lines), method);
    assert.deepEqual(
      [parsed.framing, parsed.length, parsed.keepAlive],
      [framing, length, keepAlive],
      `${method} ${lines.join(" | ")}`,
    );
  }
});

Deno.test("whatever is not exactly RFC 9112 is refused", () => {
  const ok = "HTTP/1.1 200 OK";
  const rows: string[] = [
    "\r\n\r\n",
    head("HTTP/1.0 200 OK"),
    head("HTTP/2 200 OK"),
    head("http/1.1 200 OK"),
    head("HTTP/1.1 200"),
    head("HTTP/1.1  200 OK"),
    head("HTTP/1.1 20 OK"),
    head("HTTP/1.1 2000 OK"),
    head("HTTP/1.1 099 Low"),
    head("HTTP/1.1 600 High"),
    head("HTTP/1.1 200 O\x00K"),
    head("HTTP/1.1 200 O\nK"),
    head(" HTTP/1.1 200 OK"),
    `\r\n${head(ok)}`,
    head(ok, "no colon"),
    head(ok, ": no name"),
    head(ok, "a b: c"),
    head(ok, "a : b"),
    head(ok, " folded: b"),
    head(ok, "a: b", " folded"),
    head(ok, "a: b", "\tfolded"),
    head(ok, "a: b\nc: d"),
    head(ok, "a: b\rc: d"),
    head(ok, "a: \x00"),
    head(ok, "a: \x7f"),
    head(ok, "\xe4: b"),
    head(ok, "a\t: b"),
    head(ok, "content-length: 5", "content-length: 5"),
    head(ok, "content-length: 5", "content-length: 6"),
    head(ok, "content-length: 5, 5"),
    head(ok, "content-length: +5"),
    head(ok, "content-length: -5"),
    head(ok, "content-length: 0x5"),
    head(ok, "content-length: 5 5"),
    head(ok, "content-length:"),
    head(ok, "content-length: 1e3"),
    head(ok, "content-length: 9999999999999999"),
    head(ok, "content-length: 5", "transfer-encoding: chunked"),
    head(ok, "transfer-encoding: gzip, chunked"),
    head(ok, "transfer-encoding: identity"),
    head(ok, "transfer-encoding: chunked", "transfer-encoding: chunked"),
    head(ok, "transfer-encoding: \x0bchunked"),
    head(ok, "transfer-encoding: chunked;a=b"),
    head(ok, ...Array.from({ length: 257 }, (_, i) => `a${i}: b`)),
  ];
  for (const row of rows) {
    assert.throws(() => parse(row, "GET"), ProtocolError, JSON.stringify(row.slice(0, 99)));
  }
});

Deno.test("the end of a head is found at any offset and nowhere else", () => {
  const bytes = new TextEncoder().encode("a\r\nb\n\n\r\r\n\n\r\n\r\nbody\r\n\r\n");
  assert.equal(headEnd(bytes, 0, bytes.length), 14);
  assert.equal(headEnd(bytes, 0, 13), -1);
  assert.equal(headEnd(bytes, 11, bytes.length), bytes.length);
  assert.equal(headEnd(bytes, bytes.length, bytes.length), -1);
});

Deno.test("a mutated head is either understood or refused as a breach of protocol", () => {
  const seeds = [
    head("HTTP/1.1 200 OK", "content-type: text/plain", "content-length: 12", "connection: keep-alive"),
    head(
      "HTTP/1.1 404 Not Found",
      "Transfer-Encoding: chunked",
      "set-cookie: a=b; Path=/",
      "set-cookie: c=d",
    ),
    head("HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: Upgrade"),
  ].map((text) => new TextEncoder().encode(text));
  const random = new SeededRandom(2);
  let understood = 0;
  for (let i = 0; i < 30_000; i++) {
    const text = String.fromCharCode(...random.mutate(random.pick(seeds)));
    try {
      const { status, passed, framing, length } = parse(text, random.pick(["GET", "HEAD"]));
      understood++;
      assert.ok(status >= 100 && status <= 599);
      assert.ok(Number.isSafeInteger(length) && length >= 0);
      assert.ok(framing !== "length" || passed.match(/^content-length:/gim)?.length === 1);
      for (const line of passed.split("\r\n").slice(0, -1)) {
        new Headers().append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  assert.ok(understood > 1000, "the fuzzer never gets through");
});
