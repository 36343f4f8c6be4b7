import assert from "node:assert/strict";
import type { SandboxEndReason } from "../../isolate/mod.ts";
import { tellAll } from "./isolate_observer.ts";
import { IsolateCourse } from "./isolate_course.ts";
import { RecordedCourse } from "./testing/recorded_course.ts";
import { TestSupervisor, until } from "./testing/test_supervisor.ts";

/** What is told of an isolate that goes this way. */
function told(go: (course: IsolateCourse) => void): string[] {
  const recorded = new RecordedCourse();
  go(new IsolateCourse({ isolateId: "i", deploymentId: "a" }, tellAll(recorded), 0));
  return recorded.of("a")[0]!;
}

const LIMIT = "The isolate was ended: MEMORY_LIMIT (…)";
const UNCAUGHT = "Uncaught Error: no";
const GONE = "Cannot start the program: its process ended (SIGKILL)";
const ended = (reason: SandboxEndReason, message: string | undefined, detail: string) =>
  told((course) => course.ended(reason, message, detail)).slice(1);
const served = (reason: SandboxEndReason, message: string | undefined, detail: string) =>
  told((course) => {
    course.serving(10);
    course.ended(reason, message, detail);
  }).slice(2);

Deno.test("an isolate that ends before it serves has failed first, once, with the closest explanation", () => {
  assert.deepEqual(ended("crashed", undefined, "SIGKILL"), [
    `printed server: ${GONE}`,
    `failed crashed: ${GONE}`,
    "ended crashed",
  ]);
  assert.deepEqual(ended("memory_limit", LIMIT, ""), [
    `printed server: ${LIMIT}`,
    `failed memory_limit: ${LIMIT}`,
    `ended memory_limit: ${LIMIT}`,
  ]);
  assert.deepEqual(ended("exited", undefined, UNCAUGHT), [
    `failed exited: ${UNCAUGHT}`,
    `ended exited: ${UNCAUGHT}`,
  ]);
  const timedOut = told((course) => {
    course.failed({ reason: "boot_timeout", message: "late" });
    course.serving(10);
    course.ended("boot_timeout", undefined, "SIGKILL");
    course.failed({ reason: "boot_failure", message: "too late to be told" });
  });
  assert.deepEqual(timedOut, [
    "assigned",
    "printed server: late",
    "failed boot_timeout: late",
    "ended boot_timeout",
  ]);
});

Deno.test("the end of an isolate that served is told with what there is to say", () => {
  assert.deepEqual(served("idle", undefined, "SIGKILL"), ["ended idle"]);
  assert.deepEqual(served("exited", undefined, UNCAUGHT), [`ended exited: ${UNCAUGHT}`]);
  assert.deepEqual(served("time_limit", "TIME_LIMIT", ""), [
    "printed server: TIME_LIMIT",
    "ended time_limit: TIME_LIMIT",
  ]);
});

Deno.test("what becomes of real isolates is told in order", async () => {
  const serve = `Deno.serve(({ url }) => {
    if (url.endsWith("/throw")) setTimeout(() => { throw new Error("lost") });
    else console.log("hi");
    return new Response("a");
  })`;
  await using test = await TestSupervisor.start({
    good: { source: serve },
    broken: { source: "throw new Error('no')" },
    greedy: { source: "const kept = []; for (;;) kept.push(new Uint8Array(8 * 1024 ** 2).fill(1));" },
    own: { source: serve, limits: { memoryMb: 300 } },
  });
  const { visitors, supervisor } = test;
  const broken = visitors.request("broken", "/");
  const greedy = visitors.request("greedy", "/");
  assert.equal((await visitors.request("good", "/")).text, "a");
  assert.equal((await visitors.request("own", "/")).text, "a");
  await visitors.request("good", "/throw");
  assert.deepEqual([(await broken).code, (await greedy).code], ["BOOT_FAILURE", "MEMORY_LIMIT"]);
  await until("it is gone", () => test.course.of("good")[0]!.at(-1)!.startsWith("ended"));
  await supervisor.close();
  const [good] = test.course.of("good");
  assert.deepEqual(good!.map((line) => line.split("\n")[0]), [
    "assigned",
    "serving",
    "printed program: hi",
    "printed program: Uncaught Error: lost",
    "ended exited: Uncaught Error: lost",
  ]);
  const failed = test.course.of("broken")[0]!.map((line) => line.split("\n")[0]);
  assert.deepEqual(failed, [
    "assigned",
    "printed server: Error: no",
    "failed boot_failure: Error: no",
    "ended boot_failure",
  ]);
  const [limited] = test.course.of("greedy");
  const names = limited!.map((line) => line.replace(/\(.*/, "("));
  assert.deepEqual(names, [
    "assigned",
    "printed server: The isolate was ended: MEMORY_LIMIT (",
    "failed memory_limit: The isolate was ended: MEMORY_LIMIT (",
    "ended memory_limit: The isolate was ended: MEMORY_LIMIT (",
  ]);
  assert.deepEqual(test.course.of("own"), [["assigned", "serving", "printed program: hi", "ended shutdown"]]);
});
