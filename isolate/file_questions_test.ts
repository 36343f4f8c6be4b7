import assert from "node:assert/strict";
import { FileQuestions } from "./file_questions.ts";
import type { FromSandbox, ToSandbox } from "./protocol.ts";

type Question = Extract<FromSandbox, { type: "file" }>;
type Answer = Extract<ToSandbox, { type: "file" }>;

const question = (path: unknown, rest: Partial<Question> = {}) =>
  ({ type: "file", id: 1, path, content: false, ...rest }) as Question;

/** All that can be done now is done. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** What was provided, and answered. */
function trial(
  provide: (path: string, content: boolean) => Promise<void> = () => Promise.resolve(),
  sending = Promise.resolve(),
) {
  const answers: Answer[] = [];
  const provided: unknown[] = [];
  const questions = new FileQuestions({
    dir: "/dir",
    files: {
      folder: "files",
      provide(dir, path, content) {
        provided.push([dir, path, content]);
        return provide(path, content);
      },
    },
    answer: (answer) => {
      answers.push(answer);
      return sending;
    },
  });
  return { questions, answers, provided };
}

Deno.test("what is asked for is put in place, and then answered", async () => {
  const { questions, answers, provided } = trial();
  questions.ask(question("/a/b.txt", { id: 7, content: true }));
  while (answers.length === 0) await Promise.resolve();
  assert.deepEqual(provided, [["/dir", "/a/b.txt", true]]);
  assert.deepEqual(answers, [{ type: "file", id: 7, error: undefined }]);
});

Deno.test("why it cannot be had is told in a bounded text", async () => {
  const { questions, answers } = trial(() => Promise.reject(new Error("x".repeat(1_000_000))));
  questions.ask(question("/a"));
  while (answers.length === 0) await Promise.resolve();
  assert.equal(answers[0]!.error?.length, 1_000);
});

const REFUSED: unknown[] = [
  question(undefined),
  question(17),
  question(""),
  question("a"),
  question("/a/"),
  question("/a/../b"),
  question("/../../etc/passwd"),
  question("//a"),
  question("/a\0b"),
  question("/" + "x".repeat(4096)),
  question("/" + "ü".repeat(2048)),
  question(["/a"]),
  question("/a", { id: 1.5 }),
  question("/a", { id: "1" as unknown as number }),
  question("/a", { content: 1 as unknown as boolean }),
];

Deno.test("what our code does not ask is refused", () => {
  const { questions, provided } = trial();
  for (const message of REFUSED) assert.throws(() => questions.ask(message as Question), TypeError);
  assert.deepEqual(provided, []);
});

Deno.test("no more than 64 questions are open at once", async () => {
  const hold = Promise.withResolvers<void>();
  const { questions, answers } = trial(() => hold.promise);
  for (let id = 0; id < 64; id++) questions.ask(question("/a", { id }));
  assert.throws(() => questions.ask(question("/a")), RangeError);
  hold.resolve();
  while (answers.length < 64) await Promise.resolve();
  await turn();
  questions.ask(question("/a"));
  await questions.end();
});

Deno.test("a question is open until its answer is sent, so that nobody collects answers that are not read", async () => {
  const hold = Promise.withResolvers<void>();
  const { questions, answers } = trial(undefined, hold.promise);
  for (let id = 0; id < 64; id++) questions.ask(question("/a", { id }));
  while (answers.length < 64) await Promise.resolve();
  await turn();
  assert.throws(() => questions.ask(question("/a")), RangeError);
  hold.resolve();
  await questions.end();
});

Deno.test("no more than 1,000 questions a second reach whoever provides files, and an end leaves none waiting", async () => {
  const second = () => Math.floor(Date.now() / 1000);
  for (;;) {
    const startedAt = second();
    const { questions, answers, provided } = trial();
    for (let id = 0; id < 1_050; id++) {
      questions.ask(question("/a", { id }));
      while (id < 1_000 && answers.length <= id) await Promise.resolve();
    }
    await questions.end();
    assert.equal(questions.end(), undefined);
    if (second() !== startedAt) continue;
    assert.equal(provided.length, 1_000);
    assert.equal(answers.length, 1_000);
    break;
  }
});
