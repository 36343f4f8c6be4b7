import assert from "node:assert/strict";
import { PushAnswer } from "./push_answer.ts";

Deno.test("what a terminal would act on is not told", async () => {
  const answer = new PushAnswer(true);
  answer.tell("Built\tin \x1b[31m2 ms\x1b[0m\r\nand \x9b2Jcleared");
  answer.fail("Cannot\x07 take\nit");
  answer.end();
  const text = await new Response(answer.body as ReadableStream<Uint8Array<ArrayBuffer>>).text();
  assert.deepEqual(text.split(/[0-9a-f]{4}(?=\p{Cc}|$)/u).filter(Boolean), [
    "\x02Built\tin [31m2 ms[0m\n",
    "\x02and 2Jcleared\n",
    "\x03Cannot takeit\n",
  ]);
});
