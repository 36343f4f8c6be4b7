/** An app that takes what it can get: each path is another way to use too much. */
import process from "node:process";

const born = crypto.randomUUID();
const kept = [];
const LOOP = "AGFzbQEAAAABBAFgAAADAgEABwUBAWYAAAoJAQcAA0AMAAsL"; // (func (export "f") (loop (br 0)))

/** Takes so much CPU time, however long that takes. */
function burn(ms) {
  const before = process.cpuUsage();
  for (let spentUs = 0; spentUs < ms * 1000;) {
    for (let i = 0; i < 1e5; i++);
    const { user, system } = process.cpuUsage(before);
    spentUs = user + system;
  }
}

const WAYS = {
  "/loop": () => {
    for (;;);
  },
  "/microtasks": () => {
    const next = () => queueMicrotask(next);
    next();
    return new Promise(() => {});
  },
  "/regex": () => /^(a+)+$/.test("a".repeat(50) + "b"),
  "/wait": () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  "/wasm": () => {
    const module = new WebAssembly.Module(Uint8Array.from(atob(LOOP), (char) => char.charCodeAt(0)));
    new WebAssembly.Instance(module).exports.f();
  },
  "/heap": () => {
    for (;;) kept.push(Array.from({ length: 1000 }, () => ({ a: 1 })));
  },
  "/buffers": () => {
    for (;;) kept.push(new Uint8Array(8 * 1024 ** 2).fill(1));
  },
  "/strings": () => {
    for (let i = 0;; i++) kept.push(`${i}`.repeat(1024 ** 2).slice(1) + i);
  },
  "/wasm-memory": () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    for (;;) {
      memory.grow(128);
      new Uint8Array(memory.buffer).subarray(-128 * 65536).fill(1);
    }
  },
  "/later": async () => {
    for (;;) {
      kept.push(new Uint8Array(8 * 1024 ** 2).fill(1));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  "/hang": () => new Promise(() => {}),
};

Deno.serve(async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/burn") burn(Number(searchParams.get("ms")));
  await WAYS[pathname]?.();
  return new Response(born);
});
