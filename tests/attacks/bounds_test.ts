import assert from "node:assert/strict";
import { NATIVE } from "./native_attacks.ts";
import { type AttackerOptions, stageForTests } from "./stage.ts";

const MIB = 1024 ** 2;
/** What one sandbox may have of each; what the kernel counts is never exactly the limit. */
const BOUNDS = { threads: 512, descriptors: 16_384 };

const suite = stageForTests({ level: "full" });

/** What native code answers. */
async function answer(code: string, options: AttackerOptions = {}): Promise<unknown> {
  await using attacker = await suite.stage.attacker(
    `${NATIVE}
    import process from "node:process";
    const T = JSON.parse(process.env.TARGETS);
    Deno.serve(async () => Response.json(await attack()));
    async function attack() { ${code} }`,
    { ...options, possessed: true },
  );
  const answered = JSON.parse(await attacker.text());
  assert.equal(await suite.stage.askVictim(), suite.stage.targets.secret);
  return answered;
}

suite.test("native code has so many threads and no more, and the neighbour is served", async () => {
  const made = await answer(
    `const { pthread_create } = Deno.dlopen("libc.so.6", {
      pthread_create: { parameters: ["buffer", "pointer", "pointer", "pointer"], result: "i32" },
    }).symbols;
    const { pause } = Deno.dlopen("libc.so.6", { pause: { type: "pointer" } }).symbols;
    for (let made = 0;; made++) if (pthread_create(new BigUint64Array(1), null, pause, null) !== 0) return made;`,
    { memoryMb: 2048 },
  );
  assert.ok(Number(made) > 0 && Number(made) < BOUNDS.threads, `${made}`);
});

suite.test("native code has so many descriptors and no more", async () => {
  const made = await answer(
    `let made = 0;
    while (c.dup(1) >= 0) made++;
    for (let fd = 0; fd < 1000; fd++) c.syscall(436n, BigInt(made - fd), 0xffffffffn, 0n, 0n, 0n, 0n);
    return made;`,
  );
  assert.ok(Number(made) > 0 && Number(made) < BOUNDS.descriptors, `${made}`);
});

suite.test("memory that native code shares with itself is counted", async () => {
  await using attacker = await suite.stage.attacker(
    `${NATIVE}
    const [READ_WRITE, SHARED_ANONYMOUS] = [3, 0x21];
    Deno.serve(() => {
      const memory = c.mmap(0n, ${200 * MIB}n, READ_WRITE, SHARED_ANONYMOUS, -1, 0n);
      return new Response(String(c.memset(memory, 1, ${200 * MIB}n) !== null));
    });`,
    { possessed: true },
  );
  const before = attacker.sandbox.measure().memoryBytes;
  assert.equal(await attacker.text(), "true");
  assert.ok(attacker.sandbox.measure().memoryBytes - before >= 199 * MIB);
});
