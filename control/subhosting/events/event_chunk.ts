import { Buffer } from "node:buffer";
import type { SubhostingEvent } from "../model.ts";

/** An event that waits to be delivered: a line of JSON. */
export interface EventLine {
  text: string;
  /** Of UTF-8, with the line's end. */
  bytes: number;
}

/** Events that were dropped, and whose the last of them was. */
export interface Dropped {
  count: number;
  last: Pick<SubhostingEvent, "deployment_id" | "execution_id" | "region">;
}

/** Bytes that may still be spooled for a subhoster. */
export interface Room {
  log: number;
  other: number;
  /** So much has to be free for lines until they are taken again, once some were dropped. */
  resume: number;
}

/** Events that are kept together, in order. */
export interface Chunk {
  lines: string[];
  logBytes: number;
  otherBytes: number;
}

/** `event_type` is an event's first key: what a line is can be seen without parsing it. */
const LOG_START = '{"event_type":"log"';

/** The line that an event is spooled as. */
export function eventLine(event: SubhostingEvent): EventLine {
  const { event_type, ...rest } = event;
  const text = JSON.stringify({ event_type, ...rest });
  return { text, bytes: lineBytes(text) };
}

/** Whether it is a line that a program printed, of which there can be any number. */
export function isLog(text: string): boolean {
  return text.startsWith(LOG_START);
}

/** What these lines are together. */
export function chunkOf(lines: string[]): Chunk {
  const chunk: Chunk = { lines: [], logBytes: 0, otherBytes: 0 };
  for (const text of lines) add(chunk, { text, bytes: lineBytes(text) });
  return chunk;
}

/**
 * Takes as many events as there is room for. Where some were dropped, a line says so in their place, as soon as there is
 * room for lines again; until then other lines are dropped as well.
 *
 * @param dropped Before `events`; `null` = none were.
 * @returns what is to be kept, what was dropped and is not told yet, and how many were dropped now
 */
export function pack(
  events: readonly EventLine[],
  { log, other, resume }: Room,
  dropped: Dropped | null,
): { chunk: Chunk; dropped: Dropped | null; droppedNow: number } {
  const chunk: Chunk = { lines: [], logBytes: 0, otherBytes: 0 };
  if (dropped !== null && log >= resume) {
    add(chunk, eventLine(droppedEvent(dropped)));
    dropped = null;
  }
  let isFull = dropped !== null;
  let droppedNow = 0;
  let lastDropped: string | undefined;
  for (const event of events) {
    const fits = isLog(event.text)
      ? !isFull && chunk.logBytes + event.bytes <= log
      : chunk.otherBytes + event.bytes <= other;
    if (fits) add(chunk, event);
    else {
      isFull = true;
      droppedNow++;
      lastDropped = event.text;
    }
  }
  if (lastDropped === undefined) return { chunk, dropped, droppedNow };
  return { chunk, dropped: moreDropped(dropped, droppedNow, lastDropped), droppedNow };
}

/** Adds to what was dropped before; `last` is the last of them. */
export function moreDropped(before: Dropped | null, count: number, last: string): Dropped {
  const { deployment_id, execution_id, region } = JSON.parse(last) as SubhostingEvent;
  return { count: (before?.count ?? 0) + count, last: { deployment_id, execution_id, region } };
}

function droppedEvent({ count, last }: Dropped): SubhostingEvent {
  const msg = `${count} events dropped: too many waited to be delivered, or they waited for too long`;
  return {
    event_type: "log",
    event: { msg, level: "error" },
    ...last,
    timestamp: new Date().toISOString(),
    context: { event_id: crypto.randomUUID() },
  };
}

/** Of UTF-8, with the line's end. */
function lineBytes(text: string): number {
  return Buffer.byteLength(text) + 1;
}

function add(chunk: Chunk, { text, bytes }: EventLine) {
  chunk.lines.push(text);
  if (isLog(text)) chunk.logBytes += bytes;
  else chunk.otherBytes += bytes;
}
