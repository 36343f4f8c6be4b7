import assert from "node:assert/strict";
import { type Expectation, missingWalls } from "./verify.ts";

const STATUS = {
  Uid: "1900000000\t1900000000\t1900000000\t1900000000",
  Gid: "1900000000\t1900000000\t1900000000\t1900000000",
  Groups: " ",
  NSpid: "4711\t2",
  CapPrm: "0000000000000000",
  CapEff: "0000000000000000",
  CapAmb: "0000000000000000",
  NoNewPrivs: "1",
  Seccomp: "2",
  Seccomp_filters: "3",
};
const FULL: Expectation = { level: "full", filters: 3, uid: 1_900_000_000 };

function check(changes: Partial<typeof STATUS>, expectation: Partial<Expectation> = {}): string[] {
  const fields = Object.entries({ ...STATUS, ...changes }).map(([name, value]) => `${name}:\t${value}\n`);
  return missingWalls(fields.join(""), { ...FULL, ...expectation });
}

Deno.test("a process with all its walls lacks none", () => {
  assert.deepEqual(check({}), []);
});

Deno.test("each wall that the kernel does not confirm is missing", () => {
  const cases: [Partial<typeof STATUS>, RegExp][] = [
    [{ Uid: "0\t0\t0\t0" }, /a user of its own/],
    [{ Uid: "1900000000\t0\t1900000000\t1900000000" }, /a user of its own/],
    [{ Gid: "0\t0\t0\t0" }, /a user of its own/],
    [{ Groups: "0 27 " }, /supplementary groups/],
    [{ NSpid: "4711" }, /process namespace/],
    [{ NSpid: "4711\t1" }, /process namespace/],
    [{ CapEff: "00000000000000c0" }, /CapEff/],
    [{ CapPrm: "0000000000000001" }, /CapPrm/],
    [{ CapAmb: "00000000000000c0" }, /CapAmb/],
    [{ NoNewPrivs: "0" }, /no_new_privs/],
    [{ Seccomp: "0", Seccomp_filters: "0" }, /seccomp, all 3/],
    [{ Seccomp_filters: "2" }, /all 3 of its seccomp programs/],
  ];
  for (const [changes, missing] of cases) assert.match(check(changes).join(", "), missing);
});

Deno.test("a status that says nothing is not taken for one that says yes", () => {
  assert.equal(missingWalls("", FULL).length, 9);
});

Deno.test("a lower level promises less", () => {
  const bare = { NSpid: "4711", Seccomp_filters: "2" };
  assert.deepEqual(check(bare, { level: "process", filters: 2 }), []);
  const unconfined = { ...bare, NoNewPrivs: "0", Seccomp: "0" };
  assert.deepEqual(check(unconfined, { level: "process", filters: 0 }), []);
  assert.deepEqual(check(bare, { level: "landlock" }), ["all 3 of its seccomp programs"]);
});
