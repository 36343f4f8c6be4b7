import assert from "node:assert/strict";
import { FLAG, FRAME, PREFACE } from "./protocol.ts";
import { block, data, frame, FrameClient, GET, POST, request } from "./testing/frame_client.ts";
import { startTestServer, text } from "./testing/test_server.ts";

const SEED = 20_261_122;
const CONNECTIONS = 1000;
const MAX_FRAMES = 40;
const DEADLINE_MS = 10_000;

/** Numbers that are the same on each run (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

/** A frame that is right, one that is nearly so, or noise. */
function someFrame(below: (n: number) => number): Uint8Array {
  const id = below(12);
  const bytes = (length: number) => new Uint8Array(length).map(() => below(256));
  const kinds = [
    () => request(2 * id + 1),
    () => request(2 * id + 1, POST, false),
    () => data(2 * id + 1, "x".repeat(below(3000)), below(3) === 0),
    () => frame(FRAME.rstStream, 0, id, bytes(4)),
    () => frame(FRAME.settings, below(2), 0, bytes(6 * below(4))),
    () => frame(FRAME.windowUpdate, 0, id, bytes(4)),
    () => frame(FRAME.headers, below(256), id, bytes(below(60))),
    () =>
      frame(
        FRAME.headers,
        FLAG.endHeaders,
        2 * id + 1,
        block([...GET, ["x", String.fromCharCode(...bytes(20))]]),
      ),
    () => frame(FRAME.continuation, below(8), id, bytes(below(40))),
    () => frame(below(14), below(256), id, bytes(below(100))),
    () => bytes(below(50)),
  ];
  const whole = kinds[below(kinds.length)]!();
  if (below(8) === 0 && whole.length > 0) whole[below(whole.length)] = below(256);
  return below(20) === 0 ? whole.subarray(0, below(whole.length + 1)) : whole;
}

Deno.test("whatever a visitor sends, its connection ends, and others are served", async () => {
  await using server = startTestServer(async ({ body }) => text(`${(await body()).length}`));
  const errors: unknown[][] = [];
  const { error } = console;
  console.error = (...args) => void errors.push(args);
  try {
    for (let i = 0; i < CONNECTIONS; i++) {
      const below = random(SEED + i);
      using client = await FrameClient.connect(server.port, { bare: true });
      if (below(20) > 0) await client.send(PREFACE);
      if (below(20) > 0) await client.send(frame(FRAME.settings, 0, 0));
      for (let frames = below(MAX_FRAMES); frames > 0; frames--) {
        if (!await client.send(someFrame(below))) break;
      }
      await client.finish();
      const timer = setTimeout(() => assert.fail(`connection ${i} does not end`), DEADLINE_MS);
      while (await client.next() !== null);
      clearTimeout(timer);
    }
    await server.ended();
    assert.deepEqual(errors, []);
  } finally {
    console.error = error;
  }
  using client = await FrameClient.connect(server.port);
  await client.send(request(1));
  await client.until("end 1");
});
