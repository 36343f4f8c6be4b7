import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import {
  closePayload,
  encodeFrame,
  FrameDecoder,
  FrameError,
  type FrameEvent,
  isCloseCode,
  MAX_MESSAGE_BYTES,
  OPCODE,
} from "./ws_frames.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

/** An unmasked frame, as a server sends it. `first` is its first byte: FIN, reserved bits, opcode. */
function frame(first: number, payload: Uint8Array | number[]): Uint8Array {
  const length = payload.length;
  const header = length < 126
    ? [length]
    : length < 65536
    ? [126, length >> 8, length & 0xff]
    : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff];
  return Uint8Array.from([first, ...header, ...payload]);
}

/** What becomes of bytes that arrive in these pieces: the events, and the close code if they were refused. */
function decode(pieces: Uint8Array[]): { events: FrameEvent[]; refused: number | null } {
  const decoder = new FrameDecoder({ masked: false });
  const events: FrameEvent[] = [];
  try {
    for (const piece of pieces) events.push(...decoder.decode(piece));
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return { events, refused: error.closeCode };
  }
  return { events, refused: null };
}

const joined = (...frames: Uint8Array[]) => Uint8Array.from(frames.flatMap((bytes) => [...bytes]));

Deno.test("messages of every length form arrive whole", () => {
  for (const length of [0, 1, 125, 126, 127, 65535, 65536, 200_000]) {
    const data = new Uint8Array(length).fill(0x61);
    assert.deepEqual(decode([frame(0x82, data)]).events, [{ type: "binary", data }]);
    assert.deepEqual(decode([frame(0x81, data)]).events, [{ type: "text", data: utf8("a".repeat(length)) }]);
  }
});

Deno.test("fragments are joined, even inside a character, and control frames may come between them", () => {
  const [a, b] = [utf8("ä€").slice(0, 3), utf8("ä€").slice(3)];
  const bytes = joined(
    frame(0x01, a),
    frame(0x89, utf8("hi")),
    frame(0x00, []),
    frame(0x8a, []),
    frame(0x80, b),
  );
  assert.deepEqual(decode([bytes]), {
    events: [{ type: "ping", data: utf8("hi") }, { type: "pong" }, { type: "text", data: utf8("ä€") }],
    refused: null,
  });
});

Deno.test("a byte order mark in a text is part of it", () => {
  assert.deepEqual(decode([frame(0x81, utf8("\ufeffa"))]).events, [{ type: "text", data: utf8("\ufeffa") }]);
});

Deno.test("a close frame tells its code and reason", () => {
  const close = (payload: number[] | Uint8Array) => decode([frame(0x88, payload)]).events;
  assert.deepEqual(close([]), [{ type: "close", code: null, reason: "" }]);
  assert.deepEqual(close([3, 0xe8]), [{ type: "close", code: 1000, reason: "" }]);
  assert.deepEqual(close(closePayload(4999, "bye ä")), [{ type: "close", code: 4999, reason: "bye ä" }]);
});

Deno.test("whatever is not exactly RFC 6455 is refused with the right code", () => {
  const rows: [name: string, bytes: Uint8Array | number[], closeCode: number][] = [
    ["masked by the server", [0x81, 0x81, 0, 0, 0, 0, 0x61], 1002],
    ["RSV1", frame(0xc1, [0x61]), 1002],
    ["RSV2", frame(0xa1, [0x61]), 1002],
    ["RSV3", frame(0x91, [0x61]), 1002],
    ["unknown data opcode", frame(0x83, []), 1002],
    ["unknown control opcode", frame(0x8b, []), 1002],
    ["fragmented ping", frame(0x09, []), 1002],
    ["ping of 126 bytes", frame(0x89, new Uint8Array(126)), 1002],
    ["continuation of nothing", frame(0x80, []), 1002],
    ["text inside a message", joined(frame(0x01, []), frame(0x81, [])), 1002],
    ["16-bit length that is short", [0x82, 126, 0, 5], 1002],
    ["64-bit length that is short", [0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 1002],
    ["64-bit length beyond all", [0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0], 1009],
    ["message over the limit", [0x82, 127, 0, 0, 0, 0, 4, 0, 0, 1], 1009],
    ["close of one byte", frame(0x88, [3]), 1002],
    ["close with 1005", frame(0x88, [3, 0xed]), 1002],
    ["close with 999", frame(0x88, [3, 0xe7]), 1002],
    ["close with bad UTF-8", frame(0x88, [3, 0xe8, 0xff]), 1007],
    ["text with bad UTF-8", frame(0x81, [0xc3]), 1007],
    ["text with a surrogate", frame(0x81, [0xed, 0xa0, 0x80]), 1007],
  ];
  for (const [name, bytes, closeCode] of rows) {
    assert.equal(decode([Uint8Array.from(bytes)]).refused, closeCode, name);
  }
});

Deno.test("fragments together may not exceed the limit of a message", () => {
  const decoder = new FrameDecoder({ masked: false });
  const half = new Uint8Array(MAX_MESSAGE_BYTES / 2);
  const header = (first: number) => {
    const bytes = new Uint8Array(10);
    new DataView(bytes.buffer).setBigUint64(2, BigInt(half.length));
    bytes.set([first, 127]);
    return bytes;
  };
  for (const part of [header(0x02), half, header(0x00), half]) assert.deepEqual(decoder.decode(part), []);
  assert.throws(() => decoder.decode(frame(0x80, [1])), { closeCode: 1009 });
});

Deno.test("the same bytes mean the same however they are split, and nothing else is ever thrown", () => {
  const random = new SeededRandom(4);
  const seed = joined(
    frame(0x81, utf8("hello ä")),
    frame(0x02, [1, 2, 3]),
    frame(0x89, [9]),
    frame(0x80, new Uint8Array(300)),
    frame(0x88, closePayload(1001, "away")),
  );
  for (let i = 0; i < 4000; i++) {
    const bytes = i % 4 === 0 ? seed : random.mutate(seed);
    const whole = decode([bytes]);
    const split = decode(random.split(bytes));
    assert.equal(split.refused, whole.refused);
    // A piece that ends in a breach gives none of its events, so the whole knows fewer.
    if (whole.refused === null) assert.deepEqual(split.events, whole.events);
  }
});

Deno.test("our own frames are final, masked where they have to be, and mean what was given", () => {
  const random = new SeededRandom(5);
  for (const length of [0, 1, 3, 4, 125, 126, 65535, 65536]) {
    const data = new Uint8Array(length).map((_, i) => i);
    for (const masked of [false, true]) {
      const bytes = encodeFrame(OPCODE.binary, data.slice(), masked);
      assert.equal(bytes[0], 0x82);
      for (const pieces of [[bytes], random.split(bytes)]) {
        const decoder = new FrameDecoder({ masked });
        assert.deepEqual(pieces.flatMap((piece) => decoder.decode(piece)), [{ type: "binary", data }]);
      }
      const other = new FrameDecoder({ masked: !masked });
      assert.throws(() => other.decode(bytes), { closeCode: 1002 });
    }
  }
});

Deno.test("a reason is cut to what a control frame holds, at a character", () => {
  const payload = closePayload(1000, "€".repeat(100));
  assert.equal(payload.length, 2 + 41 * 3);
  assert.equal(new TextDecoder("utf-8", { fatal: true }).decode(payload.subarray(2)), "€".repeat(41));
});

Deno.test("only registered and private close codes may stand in a frame", () => {
  const allowed = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999];
  const refused = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535];
  for (const code of allowed) assert.ok(isCloseCode(code), String(code));
  for (const code of refused) assert.ok(!isCloseCode(code), String(code));
});
