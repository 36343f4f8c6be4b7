/** An app that takes what it can get: each path is another way to use too much. Also a blank module of a sandbox. */
const born = crypto.randomUUID();
const kept = [];
const LOOP = "AGFzbQEAAAABBAFgAAADAgEABwUBAWYAAAoJAQcAA0AMAAsL"; // (func (export "f") (loop (br 0)))

function burn(ms) {
  for (const end = performance.now() + ms; performance.now() < end;);
}

const WAYS = {
  "/loop": () => {
    for (;;);
  },
  "/microtasks": () => {
    const next = () => Promise.resolve().then(next);
    return next();
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
