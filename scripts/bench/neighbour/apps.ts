/** A deployment beside the good one. */
export interface Neighbour {
  name: string;
  /** Its program. Not set: there is nobody. */
  source?: string;
  /** It is well-behaved until then, by `Date.now()`. */
  badFromMs?: number;
}

/** What a customer's app is: it looks at the request and makes some JSON. */
export const GOOD_APP = `
const items = Array.from({ length: 20 }, (_, id) => ({ id, name: "item " + id, price: id * 100 }));
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    return Response.json({ pathname, at: Date.now(), items: items.filter(({ id }) => id % 2 === 0) });
  },
};`;

/** What fails to start must start once when it is built. */
const BUILD_MS = 4_000;

/** Each is another way to be a bad neighbour; the first is none. To be deployed now. */
export function neighbours(): Neighbour[] {
  const badFromMs = Date.now() + BUILD_MS;
  return [
    { name: "is not there" },
    { name: "loops at each request", source: served("for (;;);") },
    {
      name: "derives keys on all threads",
      source: once(
        `const key = await crypto.subtle.importKey("raw", new Uint8Array(8), "PBKDF2", false, ["deriveBits"]);
        const spec = { name: "PBKDF2", salt: new Uint8Array(8), iterations: 1e6, hash: "SHA-256" };
        for (let i = 0; i < 32; i++) (async () => { for (;;) await crypto.subtle.deriveBits(spec, key, 256); })();`,
      ),
    },
    {
      name: "loops in 3 workers",
      source: once(`const url = URL.createObjectURL(new Blob(["for (;;);"], { type: "text/javascript" }));
        for (let i = 0; i < 3; i++) new Worker(url, { type: "module" });`),
    },
    {
      name: "allocates at each request",
      source: served(`for (;;) kept.push(new Uint8Array(8 * 1024 ** 2).fill(1));`, "const kept = [];"),
    },
    {
      name: "floods its log",
      source: once(
        `(async () => {
          for (;;) {
            for (let i = 0; i < 100; i++) console.log("x".repeat(1000));
            try { writeSync(1, raw); } catch { /* The pipe is full. */ }
            await new Promise((resolve) => setTimeout(resolve));
          }
        })();`,
        `import { writeSync } from "node:fs"; const raw = new TextEncoder().encode(("y".repeat(1000) + "\\n").repeat(60));`,
      ),
    },
    {
      name: "floods the egress proxy",
      source: once(`for (let i = 0; i < 256; i++) {
        (async () => {
          for (;;) await Deno.connect({ hostname: i % 2 ? "10.0.0.1" : "nobody.invalid", port: 80 }).catch(() => {});
        })();
      }`),
    },
    { name: "exits at each request", source: served("Deno.exit(1);") },
    {
      name: "fails to start",
      source: served("", `if (Date.now() > ${badFromMs}) throw new Error("not today");`),
      badFromMs,
    },
    {
      name: "answers with 8 MiB",
      source: served("return new Response(body);", "const body = new Uint8Array(8 * 1024 ** 2);"),
    },
  ];
}

function served(statements: string, before = ""): string {
  return `${before}\nexport default { async fetch() { ${statements}\nreturn new Response("ok"); } };`;
}

/** Begins with its first request, and answers all. */
function once(statements: string, before = ""): string {
  return served(
    "if (!begun) { begun = true; await begin(); }",
    `${before}
    let begun = false;
    async function begin() { ${statements} }`,
  );
}
