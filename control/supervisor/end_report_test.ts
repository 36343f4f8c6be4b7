import assert from "node:assert/strict";
import { endLine, limitLine, type Used } from "./end_report.ts";
import type { SandboxEndReason } from "../../isolate/mod.ts";
import type { Breach } from "./watch.ts";

const USED: Used = { cpuMs: 1_234.4, memoryBytes: 532 * 1024 ** 2, uptimeMs: 12_300, requests: 17 };

const TABLE: [breach: Breach | undefined, used: Partial<Used>, line: string][] = [
  [
    { limit: "memoryMb", used: 531.2, allowed: 512 },
    {},
    "MEMORY_LIMIT (memory 532 MiB of 512 MiB; CPU 1,234 ms, up 12 s, 17 requests)",
  ],
  [
    undefined,
    { requests: 1 },
    "MEMORY_LIMIT (memory past 512 MiB, last measured 532 MiB; CPU 1,234 ms, up 12 s, 1 request)",
  ],
  [
    { limit: "cpuBlockMs", used: 1_000.1, allowed: 1_000 },
    {},
    "TIME_LIMIT (event loop held for 1,001 ms of 1,000 ms; CPU 1,234 ms, memory 532 MiB, up 12 s, 17 requests)",
  ],
  [
    { limit: "cpuMsPerRequest", used: 250, allowed: 200 },
    { uptimeMs: 7_200_000, requests: 12_345 },
    "TIME_LIMIT (CPU per request 250 ms of 200 ms; CPU 1,234 ms, memory 532 MiB, up 7,200 s, 12,345 requests)",
  ],
];

Deno.test("an isolate that exceeds a limit leaves a line with the limit and all that it used", () => {
  for (const [breach, used, line] of TABLE) {
    const ended = { used: { ...USED, ...used }, memoryMb: 512, breach };
    assert.equal(limitLine(ended), `The isolate was ended: ${line}`);
  }
});

Deno.test("an end that nobody asked for leaves a line, any other none", () => {
  const line = (reason: SandboxEndReason) =>
    endLine({ reason, detail: "SIGSEGV" }, { used: USED, memoryMb: 512 });
  assert.equal(line("crashed"), "The isolate ended: crashed (SIGSEGV)");
  assert.match(line("memory_limit")!, /^The isolate was ended: MEMORY_LIMIT/);
  for (const reason of ["idle", "retired", "shutdown", "exited"] as const) {
    assert.equal(line(reason), undefined);
  }
});
