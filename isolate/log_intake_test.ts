import assert from "node:assert/strict";
import { type AppLogLine, LogIntake, MAX_LINE_BYTES, MAX_LINES_PER_SECOND } from "./log_intake.ts";

const bytes = (text: string) => new TextEncoder().encode(text).length;

function intake() {
  const lines: AppLogLine[] = [];
  const clock = { nowMs: 1_700_000_000_000 };
  return { lines, clock, logs: new LogIntake((line) => lines.push(line), () => clock.nowMs) };
}

const TRIMMED = " … [trimmed]";
const FITS = MAX_LINE_BYTES - bytes(TRIMMED);

const LINES: Record<string, [message: string, kept: string]> = {
  "an empty line": ["", ""],
  "a short line": ["short", "short"],
  "a line of exactly the limit": ["x".repeat(MAX_LINE_BYTES), "x".repeat(MAX_LINE_BYTES)],
  "a line of a byte more": ["x".repeat(MAX_LINE_BYTES + 1), "x".repeat(FITS) + TRIMMED],
  "a line of ten million": ["x".repeat(10_000_000), "x".repeat(FITS) + TRIMMED],
  "two-byte characters at the limit": ["ü".repeat(MAX_LINE_BYTES / 2), "ü".repeat(MAX_LINE_BYTES / 2)],
  "two-byte characters over the limit": [
    "ü".repeat(MAX_LINE_BYTES),
    "ü".repeat(Math.floor(FITS / 2)) + TRIMMED,
  ],
  "four-byte characters over the limit": [
    "🦕".repeat(MAX_LINE_BYTES),
    "🦕".repeat(Math.floor(FITS / 4)) + TRIMMED,
  ],
};

for (const [name, [message, kept]] of Object.entries(LINES)) {
  Deno.test(`${name} is kept up to 2 KiB, cut at a character's border`, () => {
    const { lines, logs } = intake();
    logs.add("info", message);
    assert.equal(lines[0]!.message, kept);
    assert.ok(bytes(kept) <= MAX_LINE_BYTES);
  });
}

Deno.test("a line has the keeper's time and a known level", () => {
  const { lines, logs } = intake();
  for (const level of ["debug", "info", "warning", "error", "fatal", "__proto__"]) logs.add(level, level);
  assert.deepEqual(lines.map(({ level }) => level), ["debug", "info", "warning", "error", "info", "info"]);
  assert.equal(lines[0]!.time, "2023-11-14T22:13:20.000Z");
});

Deno.test("lines past the rate are dropped and counted in one line of the next second", () => {
  const { lines, clock, logs } = intake();
  for (let i = 0; i < MAX_LINES_PER_SECOND + 5; i++) logs.add("info", String(i));
  assert.equal(lines.length, MAX_LINES_PER_SECOND);
  clock.nowMs += 1_000;
  logs.add("info", "next");
  assert.deepEqual(lines.slice(MAX_LINES_PER_SECOND).map(({ level, message }) => [level, message]), [
    ["warning", "5 log lines dropped: over 1000 in a second"],
    ["info", "next"],
  ]);
});

Deno.test("lines that were dropped elsewhere are said at once, and at the end, but not without bound", () => {
  const { lines, logs } = intake();
  logs.addDropped(3);
  logs.addDropped(-1);
  assert.deepEqual(lines.map(({ message }) => message), ["3 log lines dropped: over 1000 in a second"]);
  for (let i = 0; i < 2 * MAX_LINES_PER_SECOND; i++) logs.addDropped(1);
  assert.ok(lines.length <= MAX_LINES_PER_SECOND);
  logs.flush();
  const counted = lines.reduce((sum, { message }) => sum + Number.parseInt(message), 0);
  assert.equal(counted, 3 + 2 * MAX_LINES_PER_SECOND);
  const { length } = lines;
  logs.flush();
  assert.equal(lines.length, length);
});
