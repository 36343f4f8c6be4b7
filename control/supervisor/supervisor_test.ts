import assert from "node:assert/strict";
import type { Limits } from "../model.ts";
import { TestSupervisor, until } from "./testing/test_supervisor.ts";

const GREEDY = Deno.readTextFileSync(new URL("../../tests/apps/greedy.js", import.meta.url));
const greedy = (limits: Partial<Limits> = {}) => ({ source: GREEDY, limits });

const WAYS: Record<string, { path: string; code: "MEMORY_LIMIT" | "TIME_LIMIT"; limits?: Partial<Limits> }> =
  {
    "a synchronous loop": { path: "/loop", code: "TIME_LIMIT" },
    "a loop of microtasks": { path: "/microtasks", code: "TIME_LIMIT" },
    "a catastrophic regular expression": { path: "/regex", code: "TIME_LIMIT" },
    "a loop in WebAssembly": { path: "/wasm", code: "TIME_LIMIT" },
    "Atomics.wait": { path: "/wait", code: "TIME_LIMIT" },
    "objects": { path: "/heap", code: "MEMORY_LIMIT", limits: { cpuBlockMs: 20_000 } },
    "array buffers": { path: "/buffers", code: "MEMORY_LIMIT", limits: { cpuBlockMs: 20_000 } },
    "strings": { path: "/strings", code: "MEMORY_LIMIT", limits: { cpuBlockMs: 20_000 } },
    "the memory of a WebAssembly module": {
      path: "/wasm-memory",
      code: "MEMORY_LIMIT",
      limits: { cpuBlockMs: 20_000 },
    },
    "memory taken bit by bit": { path: "/later", code: "MEMORY_LIMIT" },
  };

for (const [name, { path, code, limits }] of Object.entries(WAYS)) {
  Deno.test(`${name} ends an isolate with ${code}, and the next request gets a fresh one`, async () => {
    await using test = await TestSupervisor.start({ a: greedy(limits) });
    const { visitors } = test;
    const first = await visitors.request("a", "/");
    const waiting = Array.from({ length: 5 }, () => visitors.request("a", "/hang"));
    const answers = await Promise.all([visitors.request("a", path), ...waiting]);
    assert.deepEqual(answers, answers.map(() => ({ code })));
    const second = await visitors.request("a", "/");
    assert.notEqual(second.text, first.text);
    assert.match(second.text!, /^[0-9a-f-]{36}$/);
    const line = await test.logged("a", /^The isolate was ended/);
    assert.match(
      line,
      new RegExp(`^The isolate was ended: ${code} \\(.*; CPU [\\d,]+ ms, .*up \\d+ s, 7 requests\\)$`),
    );
    assert.deepEqual(Object.values(test.supervisor.ends), [1]);
  });
}
