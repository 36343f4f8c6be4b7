import assert from "node:assert/strict";
import { SeededRandom } from "../tests/seeded_random.ts";
import type { Enclosure } from "./enclosure.ts";
import { openSandboxHome, type SandboxHome } from "./home.ts";
import { bare } from "./layers/bare.ts";
import type { Program, ProvidedFiles } from "./program.ts";
import { type AppLogLine, MAX_LINE_BYTES, MAX_LINES_PER_SECOND } from "./log_intake.ts";
import { encodeLine, type FromSandbox, MAX_LINE_BYTES as MAX_MESSAGE_BYTES, readLines } from "./protocol.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";

/** How long each fuzzer runs: longer by ISOLA_FUZZ_MS, another way by ISOLA_FUZZ_SEED. */
const FUZZ_MS = Number(Deno.env.get("ISOLA_FUZZ_MS") ?? 2_000);
const SEED = Number(Deno.env.get("ISOLA_FUZZ_SEED") ?? 4_711);

/** For what was said last to arrive. */
const QUIET_MS = 20;
const MAX_PIECES = 400;
const UNFINISHED_LINES = 6;
const MAX_GROWTH_BYTES = 100 * 1024 ** 2;
const LEVELS = ["debug", "info", "warning", "error"];

/** What a host says, and what could be mistaken for it. */
const MESSAGES: unknown[] = [
  { type: "blank" },
  { type: "ready", socket: "http" },
  { type: "ready", socket: "../../run" },
  { type: "evaluated" },
  { type: "failed", message: "no" },
  { type: "log", level: "info", message: "line" },
  { type: "log", level: "info", message: "x".repeat(10_000) },
  { type: "log", level: { toString: null }, message: [[[]]] },
  { type: "log" },
  { type: "dropped", count: 3 },
  { type: "dropped", count: -1e308 },
  { type: "dropped", count: "many" },
  { type: "pending", id: 1, count: 0 },
  { type: "pending", id: "__proto__", count: {} },
  { type: "file", id: 1, path: "/a", content: true },
  { type: "file", id: 2, path: "/a/b", content: false },
  { type: "file", id: "__proto__", path: ["/a"] },
  { type: "__proto__" },
  { __proto__: { type: "log" } },
  { type: ["log"] },
  [],
  null,
  0,
  "log",
];
/** Ends the sandbox by what it says, so not in each case. */
const EXIT: FromSandbox = { type: "exit", code: 1, message: "end" };

const NO_FILES: ProvidedFiles = { folder: "files", provide: () => Promise.resolve() };

/** A sandbox's process that sends what it gets from the test, to its keeper, its standard output and its standard error. */
const RELAY = `
  const control = Deno.env.get("CONTROL_SOCKET");
  // What it is to serve, so that it is taken for one that could.
  for (const name of ["http", "node"]) Deno.listen({ transport: "unix", path: control.replace("control", name) });
  const keeper = await Deno.connect({ transport: "unix", path: control });
  const guest = await Deno.connect({ transport: "unix", path: control });
  const test = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  const writers = [keeper, Deno.stdout, Deno.stderr, guest];
  const writeAll = async (writer, bytes) => { for (let at = 0; at < bytes.length;) at += await writer.write(bytes.subarray(at)); };
  keeper.readable.pipeTo(new WritableStream()).catch(() => {});
  // Each piece: to whom, its length in three bytes, its bytes.
  let rest = new Uint8Array();
  for await (const chunk of test.readable) {
    rest = Uint8Array.from([...rest, ...chunk]);
    for (;;) {
      const length = (rest[1] << 16) + (rest[2] << 8) + rest[3];
      if (rest.length < 4 || rest.length < 4 + length) break;
      await writeAll(writers[rest[0]], rest.subarray(4, 4 + length));
      rest = rest.slice(4 + length);
    }
  }
`;

interface Piece {
  /** 0 = the keeper, 1 = standard output, 2 = standard error, 3 = the keeper, which waits for the program's start. */
  to: number;
  bytes: Uint8Array;
}

/** Starts a sandbox whose process says what the pieces say, and waits until it has said all or is ended. */
async function say(
  home: SandboxHome,
  pieces: Piece[],
  program: Partial<Program> = {},
  /** Said when it has its program, and its end. */
  last?: Piece[],
): Promise<{ sandbox?: Sandbox; lines: AppLogLine[] }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const enclosure: Enclosure = {
    ...bare({ confinement: undefined }),
    wrap: ({ path, env }) => ({
      path,
      args: ["eval", "--no-config", RELAY, "--", String(listener.addr.port)],
      env,
    }),
  };
  const lines: AppLogLine[] = [];
  const start = startSandbox({
    home: { ...home, enclosure, egress: undefined, cgroups: undefined },
    id: "fuzzed",
    net: true,
    maxHeapMb: 64,
    onLog: (line) => lines.push(line),
  });
  const started = start.then((sandbox) => sandbox, () => undefined);
  using connection = await listener.accept();
  await send(connection, [{ to: 0, bytes: encodeLine({ type: "blank" }) }, ...pieces]);
  const sandbox = await started;
  if (sandbox !== undefined) {
    const assigned = sandbox.assign({
      entry: "main.js",
      env: {},
      net: true,
      memoryMb: 64,
      bootTimeoutMs: 1_000,
      ...program,
    });
    assigned.catch(() => {}); // Whether it gets ready is its own affair.
    if (last !== undefined) {
      await send(connection, last);
      await sandbox.ended;
    }
    // It has said all: whoever still lives is alive, or waits for the end of a line.
    await connection.closeWrite().catch(() => {});
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, QUIET_MS);
    await Promise.race([sandbox.ended, late]);
    clearTimeout(timer);
    await sandbox.end("shutdown");
  }
  return { sandbox, lines };
}

async function send(connection: Deno.Conn, pieces: Piece[]) {
  try {
    for (const { to, bytes } of pieces) {
      const framed = Uint8Array.of(
        to,
        bytes.length >> 16,
        bytes.length >> 8 & 255,
        bytes.length & 255,
        ...bytes,
      );
      for (let at = 0; at < framed.length;) at += await connection.write(framed.subarray(at));
    }
  } catch {
    // The sandbox was ended by what it has said.
  }
}

/** Some of what a host says, with a few of its bytes changed, in pieces of any size; sometimes any bytes at all. */
function hostilePieces(random: SeededRandom): Piece[] {
  const pieces: Piece[] = [];
  while (pieces.length < MAX_PIECES && !random.chance(0.02)) {
    const to = random.chance(0.7) ? 0 : random.between(1, 3);
    const message = random.chance(0.01) ? EXIT : random.pick(MESSAGES);
    const bytes = encodeLine(message as FromSandbox);
    const hostile = random.chance(0.7)
      ? bytes
      : random.chance(0.9)
      ? random.mutate(bytes)
      : Uint8Array.from({ length: random.below(5_000) }, () => random.below(256));
    for (const piece of random.split(hostile)) pieces.push({ to, bytes: piece });
  }
  return pieces;
}

Deno.test("whatever a sandbox says, its keeper ends that sandbox at most, and passes on what the limits allow", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-fuzz-" });
  {
    await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath(), layers: "off" });
    const grewFrom = Deno.memoryUsage().rss;
    let seed = SEED;
    let started = 0;
    for (const endsAt = performance.now() + FUZZ_MS; performance.now() < endsAt; seed++) {
      const { sandbox, lines } = await say(home, hostilePieces(new SeededRandom(seed)), { files: NO_FILES });
      const context = `ISOLA_FUZZ_SEED=${seed}`;
      if (sandbox !== undefined) started++;
      const { reason } = await sandbox?.ended ?? { reason: "protocol" };
      assert.match(reason, /^(protocol|exited|crashed|shutdown)$/, context);
      const seconds = new Set(lines.map(({ time }) => time.slice(0, 19))).size;
      assert.ok(lines.length <= (MAX_LINES_PER_SECOND + 1) * (seconds + 1), context);
      for (const { level, message } of lines) {
        assert.ok(LEVELS.includes(level), context);
        assert.ok(new TextEncoder().encode(message).length <= MAX_LINE_BYTES, context);
      }
    }
    const grown = Deno.memoryUsage().rss - grewFrom;
    assert.ok(grown < MAX_GROWTH_BYTES, `grown by ${grown} bytes in ${seed - SEED} runs`);
    assert.ok(started > 0, `none of ${seed - SEED} sandboxes was started`);
  }
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("a sandbox that asks for files as our code does not is ended, and asks for nothing", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-fuzz-" });
  {
    await using home = await openSandboxHome({ dataDir, denoPath: Deno.execPath(), layers: "off" });
    const hold = Promise.withResolvers<void>();
    const asked: string[] = [];
    const files: ProvidedFiles = {
      folder: "files",
      provide: (_, path) => {
        asked.push(path);
        return hold.promise;
      },
    };
    const ask = (path: string) => ({
      to: 0,
      bytes: encodeLine({ type: "file", id: 1, path, content: true }),
    });
    const cases: [pieces: Piece[], files: ProvidedFiles | undefined, asked: number][] = [
      [[ask("/a")], undefined, 0],
      [[ask("/../a")], files, 0],
      [[ask("/" + "x".repeat(4096))], files, 0],
      [Array.from({ length: 65 }, () => ask("/a")), files, 64],
    ];
    for (const [pieces, provided, count] of cases) {
      asked.length = 0;
      const { sandbox } = await say(home, [], { files: provided }, pieces);
      assert.equal((await sandbox!.ended).reason, "protocol");
      assert.equal(asked.length, count);
    }
    hold.resolve();
  }
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("lines that come byte by byte, and do not end, cost their keepers little more than their bytes", async () => {
  const grewFrom = Deno.memoryUsage().rss;
  const readings = [];
  const ends = [];
  for (let line = 0; line < UNFINISHED_LINES; line++) {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const { promise: read, resolve: allRead } = Promise.withResolvers<void>();
    ends.push(resolve);
    readings.push(readLines(bytewise(allRead, end)).next());
    await read;
  }
  const grown = Deno.memoryUsage().rss - grewFrom;
  for (const end of ends) end();
  for (const reading of readings) assert.equal((await reading).done, true);
  assert.ok(grown < MAX_GROWTH_BYTES, `${UNFINISHED_LINES} lines cost ${grown} bytes`);
});

/** As many bytes as a line may have, one at a time, and then nothing until `end`. */
async function* bytewise(allRead: () => void, end: Promise<void>): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < MAX_MESSAGE_BYTES - 1; i++) yield Uint8Array.of(120);
  allRead();
  await end;
}
