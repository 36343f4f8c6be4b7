import assert from "node:assert/strict";
import { Turn } from "./turn.ts";

Deno.test("work in turns lets a request through within a few of them", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("answered"),
  );
  let answer: string | undefined;
  const asked = fetch(`http://127.0.0.1:${server.addr.port}/`).then(async (response) => {
    answer = await response.text();
  });
  const turn = new Turn();
  let turns = 0;
  while (answer === undefined) {
    while (!turn.isOver());
    await turn.next();
    turns++;
  }
  await asked;
  assert.equal(answer, "answered");
  assert.ok(turns < 50, `${turns} turns`);
});
