import assert from "node:assert/strict";
import { Patience } from "./patience.ts";
import { DEFAULT_VISITOR_LIMITS } from "../visitor_limits.ts";

const LIMITS = {
  ...DEFAULT_VISITOR_LIMITS,
  headerTimeoutMs: 15_000,
  keepAliveTimeoutMs: 60_000,
  silenceTimeoutMs: 300_000,
  writeTimeoutMs: 40_000,
  minBodyBytesPerSecond: 100,
  bodyGraceMs: 20_000,
};
const HOUR_S = 3600;

/** What happens to a connection, by itself and every second. */
interface Story {
  begin(patience: Patience): void;
  everySecond?(patience: Patience, second: number): void;
}

/** After how many seconds the connection is cut; `Infinity` = not within an hour. */
function patienceFor({ begin, everySecond }: Story): number {
  const patience = new Patience(LIMITS);
  patience.sweep(1000);
  begin(patience);
  patience.sweep(1000);
  for (let second = 1; second <= HOUR_S; second++) {
    everySecond?.(patience, second);
    if (patience.sweep(1000 + second * 1000)) return second;
  }
  return Infinity;
}

/** One request was answered whole. */
function answer(patience: Patience): void {
  patience.beginRequest();
  patience.answer();
  patience.beginWrite();
  patience.endWrite();
}

function request(patience: Patience): void {
  patience.beginRequest();
}

function upload(patience: Patience): void {
  patience.beginRequest();
  patience.awaitBody(0);
}

/** Some of a body has come; `bytes` in all. */
function receiveBody(patience: Patience, bytes: number): void {
  patience.received();
  patience.awaitBody(bytes);
}

function download(patience: Patience): void {
  patience.beginRequest();
  patience.answer();
  patience.beginWrite();
}

function webSocket(patience: Patience): void {
  patience.beginRequest();
  patience.upgrade();
}

Deno.test("who is slow is cut when its limit has passed, and whatever prolongs no limit does not help", () => {
  const rows: [what: string, cutAfterS: number, story: Story][] = [
    ["who sends nothing at all", 15, { begin() {} }],
    ["who drips a first head", 15, {
      begin: (patience) => patience.awaitRequest(true),
      everySecond(patience) {
        patience.received();
        patience.awaitRequest(true);
      },
    }],
    ["who drips empty lines between requests", 60, {
      begin(patience) {
        answer(patience);
        patience.awaitRequest(false);
      },
      everySecond(patience) {
        patience.received();
        patience.awaitRequest(false);
      },
    }],
    ["who begins a head at the last moment and drips it", 59 + 15, {
      begin(patience) {
        answer(patience);
        patience.awaitRequest(false);
      },
      everySecond(patience, second) {
        if (second < 59) return;
        patience.received();
        patience.awaitRequest(true);
      },
    }],
    ["a request in which nothing moves", 300, { begin: request }],
    ["a response in which nothing moves", 300, { begin: answer }],
    ["who drips a body", 21, {
      begin: upload,
      everySecond: (patience, second) => receiveBody(patience, second * 99),
    }],
    ["who stops in the middle of a body", 51, {
      begin(patience) {
        upload(patience);
        receiveBody(patience, 5000);
      },
    }],
    ["who takes nothing", 40, { begin: download }],
    ["who takes nothing, but sends all the time", 40, {
      begin: download,
      everySecond: (patience) => patience.received(),
    }],
    ["a WebSocket that takes nothing", 40, {
      begin(patience) {
        webSocket(patience);
        patience.beginWrite();
      },
      everySecond: (patience) => patience.received(),
    }],
  ];
  for (const [what, cutAfterS, story] of rows) assert.equal(patienceFor(story), cutAfterS, what);
});

Deno.test("who is slow for a reason is waited for", () => {
  const rows: [what: string, story: Story][] = [
    ["an upload just above the rate", {
      begin: upload,
      everySecond: (patience, second) => receiveBody(patience, second * 101),
    }],
    ["an upload in bursts", {
      begin: upload,
      everySecond(patience, second) {
        if (second % 19 === 0) receiveBody(patience, second * 200);
      },
    }],
    ["a fast upload to an app that reads a little every four minutes", {
      begin: request,
      everySecond(patience, second) {
        if (second % 240 > 0) return;
        patience.awaitBody(0);
        patience.received();
      },
    }],
    ["a visitor who sends now and then while the response is streamed to it", {
      begin(patience) {
        upload(patience);
        answer(patience);
        patience.awaitBody(0);
      },
      everySecond(patience, second) {
        if (second % 240 === 0) receiveBody(patience, second);
      },
    }],
    ["a long poll that is answered in time, again and again", {
      begin: request,
      everySecond(patience, second) {
        if (second % 299 > 0) return;
        answer(patience);
        patience.beginRequest();
      },
    }],
    ["events that come rarely", {
      begin: answer,
      everySecond(patience, second) {
        if (second % 299 > 0) return;
        patience.beginWrite();
        patience.endWrite();
      },
    }],
    ["a reader who takes a byte now and then", {
      begin: download,
      everySecond(patience, second) {
        if (second % 39 > 0) return;
        patience.endWrite();
        patience.beginWrite();
      },
    }],
    ["a WebSocket that says nothing", { begin: webSocket }],
    ["who asks just before it would be too late", {
      begin: answer,
      everySecond(patience, second) {
        if (second % 59 === 0) answer(patience);
        patience.awaitRequest(false);
      },
    }],
  ];
  for (const [what, story] of rows) assert.equal(patienceFor(story), Infinity, what);
});

Deno.test("the rate is asked of each body anew", () => {
  const story: Story = {
    begin: upload,
    everySecond(patience, second) {
      if (second % 10 > 0) return patience.awaitBody(0);
      answer(patience);
      upload(patience);
    },
  };
  assert.equal(patienceFor(story), Infinity);
});

Deno.test("a connection is idle but for its requests", () => {
  const patience = new Patience(LIMITS);
  patience.sweep(1000);
  patience.sweep(2000);
  assert.equal(patience.idleSinceMs, 1000);
  patience.awaitRequest(true);
  assert.equal(patience.idleSinceMs, 1000);
  patience.beginRequest();
  assert.equal(patience.idleSinceMs, null);
  patience.answer();
  assert.equal(patience.idleSinceMs, null);
  patience.sweep(3000);
  patience.awaitRequest(false);
  assert.equal(patience.idleSinceMs, 3000);
  patience.sweep(4000);
  patience.sweep(5000);
  assert.equal(patience.idleSinceMs, 4000);
  patience.beginRequest();
  patience.upgrade();
  assert.equal(patience.idleSinceMs, null);
});
