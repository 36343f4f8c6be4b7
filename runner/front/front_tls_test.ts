import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import tls from "node:tls";
import { makeCertificate } from "./testing/certificates.ts";
import { helloMessage, records } from "./testing/hello.ts";
import { SClient, sClient } from "./testing/s_client.ts";
import { send, TestFront } from "./testing/test_front.ts";
import { RawVisitor } from "../testing/raw_visitor.ts";
import { until } from "../testing/test_runner.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const A = await makeCertificate("a.test", "localhost");
const WILD = await makeCertificate("*.wild.test");
/** Linux acknowledges after 40 ms what it hopes to answer before: far more than a write takes on a busy machine. */
const STALL_MS = 30;
const CIPHERS =
  /^(TLS_(AES_(128|256)_GCM_SHA(256|384)|CHACHA20_POLY1305_SHA256)|ECDHE-ECDSA-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305))$/;

/** Connects with Deno's client, which needs a name that resolves. */
async function connect(front: TestFront, alpnProtocols: string[] = []): Promise<Deno.TlsConn> {
  return await Deno.connectTls({
    hostname: "localhost",
    port: front.port,
    caCerts: [A.chain],
    alpnProtocols,
  });
}

/** The text that a connection says in answer. */
async function ask(conn: Deno.TlsConn, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
  const buffer = new Uint8Array(bytes.length);
  for (let at = 0; at < buffer.length;) {
    const read = await conn.read(buffer.subarray(at));
    if (read === null) return new TextDecoder().decode(buffer.subarray(0, at));
    at += read;
  }
  return new TextDecoder().decode(buffer);
}

/** What a raw visitor receives until the connection ends, in numbers. */
async function answerTo(front: TestFront, bytes: Uint8Array): Promise<number[]> {
  using visitor = await RawVisitor.send(front.port, "");
  await visitor.write(bytes);
  return [...await visitor.receiveAll()].map((char) => char.charCodeAt(0));
}

Deno.test("The certificate is chosen by the server name, and its names go with the connection", async () => {
  await using front = new TestFront({ certificates: [A, WILD] });
  for (
    const [name, subject] of [["a.test", "a.test"], ["A.TEST", "a.test"], ["x.wild.test", "*.wild.test"]]
  ) {
    const args = ["-servername", name!, "-verify_hostname", name!, "-brief"];
    const { output } = await sClient(front.port, args);
    assert.match(output, /CONNECTION ESTABLISHED/, output);
    const { certificate } = front.visitors.at(-1)!.peer;
    assert.ok(certificate?.covers(subject!.replace("*", "any")));
    assert.ok(!certificate?.covers("other.test"));
  }
  assert.deepEqual(front.wanted, []);
});

Deno.test("What is no ClientHello that can be served ends with the alert that says why", async () => {
  await using front = new TestFront({ certificates: [A] });
  const alerts: [number, Uint8Array][] = [
    [112, records(helloMessage({ serverName: "unknown.test" }))],
    [112, records(helloMessage({ serverName: "127.0.0.1" }))],
    [47, records(helloMessage({ serverName: "a b" }))],
    [109, records(helloMessage({ serverName: null }))],
    [50, Uint8Array.of(22, 3, 1, 0, 0)],
    [10, records(helloMessage({ messageType: 2 }))],
  ];
  for (const [alert, bytes] of alerts) {
    assert.deepEqual(await answerTo(front, bytes), [21, 3, 3, 0, 2, 2, alert], `alert ${alert}`);
  }
  assert.deepEqual(await answerTo(front, Uint8Array.of(0x80, 0x2e, 1, 0, 2, 0, 0)), []);
  assert.deepEqual(front.wanted, ["unknown.test"]);
  assert.equal(front.visitors.length, 0);
});

Deno.test("A client that speaks plain HTTP to the port for HTTPS is told so", async () => {
  await using front = new TestFront({ certificates: [A] });
  const response = await fetch(`http://127.0.0.1:${front.port}/`, {
    method: "POST",
    body: "x".repeat(10_000),
  });
  assert.equal(response.status, 400);
  assert.equal(await response.text(), "This port speaks HTTPS\n");
});

Deno.test("A ClientHello that comes byte by byte and in small records makes a connection", async () => {
  await using front = new TestFront({ certificates: [A] });
  const port = await relay(front.port, (hello) => {
    const length = hello[3]! << 8 | hello[4]!;
    return records([...hello.subarray(5, 5 + length)], 9);
  });
  const conn = await Deno.connectTls({ hostname: "localhost", port, caCerts: [A.chain] });
  assert.equal(await ask(conn, "hello"), "hello");
  conn.close();
});

Deno.test("Only TLS 1.2 and 1.3 with authenticated encryption are spoken, and nothing is negotiated anew", async () => {
  await using front = new TestFront({ certificates: [A] });
  const name = ["-servername", "a.test", "-brief"];
  for (const version of ["-tls1", "-tls1_1"]) {
    const { output } = await sClient(front.port, [...name, version, "-cipher", "DEFAULT@SECLEVEL=0"]);
    assert.match(output, /alert (protocol version|handshake failure)/, output);
    assert.doesNotMatch(output, /CONNECTION ESTABLISHED/);
  }
  for (const [version, said] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]]) {
    const { output } = await sClient(front.port, [...name, version!]);
    assert.ok(output.includes(`Protocol version: ${said}`), output);
    assert.match(/^Ciphersuite: (.*)$/m.exec(output)![1]!, CIPHERS);
  }
  for (
    const cipher of ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-SHA", "NULL@SECLEVEL=0"]
  ) {
    const { output } = await sClient(front.port, [...name, "-tls1_2", "-cipher", cipher]);
    assert.doesNotMatch(output, /CONNECTION ESTABLISHED/, cipher);
  }
  using client = new SClient(front.port, ["-servername", "a.test", "-tls1_2"]);
  await client.write("one\n");
  await until(() => client.output.includes("\none\n"));
  await client.write("R\n");
  await client.end();
  const { output } = await client.finish();
  assert.match(output, /RENEGOTIATING/);
  assert.match(output, /no renegotiation|no_renegotiation/i);
});

Deno.test("A session is resumed with either version", async () => {
  await using front = new TestFront({ certificates: [A] });
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const session = await Deno.makeTempFile();
    for (
      const [argument, expected] of [["-sess_out", /^New, TLSv1/m], ["-sess_in", /^Reused, TLSv1/m]] as const
    ) {
      using client = new SClient(front.port, ["-servername", "a.test", version, argument, session]);
      await client.write("hello\n");
      // The tickets come before the first answer.
      await until(() => client.output.includes("\nhello\n"));
      await client.end();
      assert.match((await client.finish()).output, expected, version);
    }
    await Deno.remove(session);
  }
});

Deno.test("ALPN chooses between HTTP/2 and HTTP/1.1, which is also what a client without ALPN gets", async () => {
  await using front = new TestFront({ certificates: [A] });
  const cases: [string[], string | null, string][] = [
    [["h2", "http/1.1"], "h2", "h2"],
    [["http/1.1", "h2"], "h2", "h2"],
    [["http/1.1"], "http/1.1", "http/1.1"],
    [[], null, "http/1.1"],
  ];
  for (const [offered, agreed, protocol] of cases) {
    const conn = await connect(front, offered);
    assert.equal((await conn.handshake()).alpnProtocol, agreed);
    assert.equal(await ask(conn, "x"), "x");
    assert.equal(front.visitors.at(-1)!.protocol, protocol);
    conn.close();
  }
  const { output } = await sClient(front.port, ["-servername", "a.test", "-alpn", "spdy/3"]);
  assert.match(output, /no application protocol/);
});

Deno.test("Whatever is sent arrives, in both directions at once", async () => {
  await using front = new TestFront({ certificates: [A] });
  const random = new SeededRandom(5);
  const sent = Uint8Array.from({ length: 3_000_000 }, () => random.below(256));
  const conn = await connect(front);
  const writing = send(conn, sent);
  const received = new Uint8Array(sent.length);
  for (let at = 0; at < received.length;) at += (await conn.read(received.subarray(at)))!;
  await writing;
  assert.ok(Buffer.from(received).equals(sent));
  conn.close();
});

Deno.test("Small writes arrive at once, one by one", async () => {
  const parts = 8;
  await using front = new TestFront({
    certificates: [A],
    serve: async ({ socket }) => {
      for (let read; (read = await socket.read(new Uint8Array(100)).catch(() => null)) !== null;) {
        for (let part = 0; part < parts; part++) await socket.write(new Uint8Array(read));
      }
      socket.close();
    },
  });
  const conn = await connect(front);
  const times = [];
  for (let round = 0; round < 15; round++) {
    const start = performance.now();
    await conn.write(new Uint8Array(1));
    for (let left = parts; left > 0;) left -= (await conn.read(new Uint8Array(parts)))!;
    times.push(performance.now() - start);
  }
  conn.close();
  const median = times.sort((one, other) => one - other)[times.length >> 1]!;
  assert.ok(median < STALL_MS, `${median} ms`);
});

Deno.test("A client of node:tls is served as any other", async () => {
  await using front = new TestFront({ certificates: [A] });
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = tls.connect({
      host: "127.0.0.1",
      port: front.port,
      servername: "a.test",
      ca: A.chain,
      ALPNProtocols: ["http/1.1"],
      minVersion: version,
      maxVersion: version,
    }, () => socket.write("hello"));
    socket.once("data", (data) => resolve(`${socket.getProtocol()} ${socket.alpnProtocol} ${data}`));
    socket.once("error", reject);
    assert.equal(await promise, `${version} http/1.1 hello`);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    await closed;
  }
});

Deno.test("What was written before the end reaches the visitor, and then the end", async () => {
  const body = new Uint8Array(2_000_000).fill(120);
  for (const end of ["closeWrite", "close"] as const) {
    await using front = new TestFront({
      certificates: [A],
      serve: async ({ socket }) => {
        await send(socket, body);
        await socket[end]();
        if (end === "closeWrite") await socket.read(new Uint8Array(1)).catch(() => {});
        socket.close();
      },
    });
    const conn = await connect(front);
    const buffer = new Uint8Array(65536);
    let received = 0;
    for (let bytes; (bytes = await conn.read(buffer)) !== null;) received += bytes;
    assert.equal(received, body.length, end);
    conn.close();
  }
});

Deno.test("Writing ends when the visitor's own connection has all of it, which takes one that reads", async () => {
  const body = new Uint8Array(8_000_000);
  const written = Promise.withResolvers<void>();
  let isReading = false;
  let wasReading = false;
  let received = 0;
  await using front = new TestFront({
    certificates: [A],
    serve: async ({ socket }) => {
      await send(socket, body);
      written.resolve();
      await socket.closeWrite();
      wasReading = isReading;
      socket.close();
    },
  });
  const conn = await connect(front);
  const buffer = new Uint8Array(256 * 1024);
  let isWritten = false;
  written.promise.then(() => isWritten = true);
  while (!isWritten) received += (await conn.read(buffer))!;
  // An end that waits for nobody has come by then.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve));
  isReading = true;
  for (let bytes; (bytes = await conn.read(buffer)) !== null;) received += bytes;
  assert.equal(received, body.length);
  assert.ok(wasReading);
  conn.close();
});

Deno.test("What a visitor sends last can be read after the last of the answer", async () => {
  const sent = new Uint8Array(300_000);
  const received = Promise.withResolvers<number>();
  await using front = new TestFront({
    certificates: [A],
    serve: async ({ socket }) => {
      await socket.closeWrite();
      let bytes = 0;
      const buffer = new Uint8Array(1000);
      for (let read; (read = await socket.read(buffer).catch(() => null)) !== null;) bytes += read;
      received.resolve(bytes);
      socket.close();
    },
  });
  const conn = await connect(front);
  assert.equal(await conn.read(new Uint8Array(1)), null);
  await send(conn, sent);
  conn.close();
  assert.equal(await received.promise, sent.length);
});

Deno.test("A visitor who leaves ends the reads and writes for it", async () => {
  const ended = Promise.withResolvers<void>();
  await using front = new TestFront({
    certificates: [A],
    serve: async ({ socket }) => {
      await socket.read(new Uint8Array(10));
      await socket.read(new Uint8Array(10)).then((bytes) => assert.equal(bytes, null), () => {});
      await assert.rejects(async () => {
        for (;;) await socket.write(new Uint8Array(65536));
      });
      ended.resolve();
      socket.close();
    },
  });
  const conn = await connect(front);
  await conn.write(new Uint8Array(1));
  conn.close();
  await ended.promise;
});

Deno.test("A visitor who does not read is gone soon after its connection is closed", async () => {
  const blocked = Promise.withResolvers<void>();
  await using front = new TestFront({
    certificates: [A],
    serve: async ({ socket }) => {
      let writes = 0;
      const stuck = setInterval(() => {
        if (writes === last) blocked.resolve();
        last = writes;
      }, 100);
      let last = -1;
      await assert.rejects(async () => {
        for (;; writes++) await socket.write(new Uint8Array(65536));
      });
      clearInterval(stuck);
    },
  });
  const conn = await connect(front);
  await blocked.promise;
  const start = performance.now();
  front.front.close();
  await until(() => front.front.size === 0);
  assert.ok(performance.now() - start < 3000);
  conn.close();
});

Deno.test("Nothing is remembered of names that nobody knows", async () => {
  await using front = new TestFront({ certificates: [A, WILD] });
  for (let i = 0; i < 300; i++) {
    const hello = records(helloMessage({ serverName: `n${i}.unknown.test` }));
    assert.equal((await answerTo(front, hello)).at(-1), 112);
  }
  await until(() => front.front.size === 0);
  assert.equal(front.admission.connections, 0);
  assert.equal(front.admission.networks, 0);
});

Deno.test("Whatever strangers send, nothing stays, nothing is logged, and others are served", async () => {
  await using front = new TestFront({ certificates: [A], limits: { handshakeTimeoutMs: 500 } });
  const lines: unknown[] = [];
  const { error } = console;
  console.error = (...parts: unknown[]) => lines.push(parts);
  try {
    await Promise.all(Array.from({ length: 300 }, async (_, seed) => {
      const random = new SeededRandom(seed);
      const hello = records(helloMessage(), random.pick([20, 100, 16_384]));
      using visitor = await RawVisitor.send(front.port, "");
      for (const piece of random.split(random.chance(0.7) ? random.mutate(hello) : hello)) {
        await visitor.write(piece).catch(() => {});
      }
      if (random.chance(0.5)) await visitor.receiveAll();
    }));
    const conn = await connect(front);
    assert.equal(await ask(conn, "hello"), "hello");
    conn.close();
    await until(() => front.front.size === 0);
  } finally {
    console.error = error;
  }
  assert.deepEqual(lines, []);
  assert.equal(front.visitors.length, 1);
  assert.equal(front.admission.connections, 0);
});

Deno.test("A certificate that comes while a visitor waits for it serves that visitor", async () => {
  await using front: TestFront = new TestFront({
    certificates: [],
    wantCertificate: () => {
      front.table!.change({ installed: [A], removed: [] });
      return Promise.resolve();
    },
  });
  const conn = await connect(front);
  assert.equal(await ask(conn, "hello"), "hello");
  assert.deepEqual(front.wanted, ["localhost"]);
  conn.close();
});

/** Passes a connection on whose first flight, changed, is sent byte by byte. */
async function relay(port: number, change: (hello: Uint8Array) => Uint8Array): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  (async () => {
    const client = await listener.accept();
    listener.close();
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    server.setNoDelay();
    const buffer = new Uint8Array(16_384);
    const hello = change(buffer.subarray(0, (await client.read(buffer))!));
    for (const byte of hello) await server.write(Uint8Array.of(byte));
    await Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  })();
  return await Promise.resolve(listener.addr.port);
}
