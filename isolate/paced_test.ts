import assert from "node:assert/strict";
import { readOutputLines } from "./output_lines.ts";
import { paced } from "./paced.ts";

/** Long enough that a reader without a pause would take seconds for it. */
const FLOOD = "yes '' | head -c 2000000";
const TURNS = 50;

Deno.test("whoever prints without a pause leaves the event loop to others", async () => {
  const process = new Deno.Command("/bin/sh", { args: ["-c", FLOOD], stdout: "piped" }).spawn();
  let lines = 0;
  const reading = (async () => {
    for await (const _ of readOutputLines(paced(process.stdout))) lines++;
  })();
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  const linesMeanwhile = lines;
  await reading;
  await process.status;
  assert.equal(lines, 2_000_000);
  assert.ok(linesMeanwhile < lines / 2, `${linesMeanwhile} lines came before ${TURNS} turns`);
});

Deno.test("paced bytes are the stream's, in their order", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(20_000));
  const pieces = await Array.fromAsync(paced(ReadableStream.from([bytes, new Uint8Array(0), bytes])));
  assert.deepEqual(
    new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()),
    new Uint8Array([...bytes, ...bytes]),
  );
});
