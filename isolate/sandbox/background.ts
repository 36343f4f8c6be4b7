/**
 * Work that goes on after a response: one-shot timers, fetches and waits for files that are not done. An isolate with such
 * work is not idle. Intervals do not count: they have no end. Advisory, and bounded by the keeper's owner.
 */
import { replaceGlobal } from "./replace_global.ts";

const timers = new Set<unknown>();
let unsettled = 0;

/** How much is unfinished. */
export function pendingWork(): number {
  return timers.size + unsettled;
}

/** Counts something else, until it is settled. */
export function counted<T>(work: Promise<T>): Promise<T> {
  unsettled++;
  return work.finally(() => unsettled--);
}

/** Counts from now on. */
export function trackBackgroundWork(): void {
  trackTimers();
  trackFetches();
}

function trackTimers() {
  const { setTimeout, clearTimeout } = globalThis;
  const tracked = (callback: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]) => {
    if (typeof callback !== "function") return setTimeout(callback, delayMs, ...args);
    const timer = setTimeout(() => {
      timers.delete(timer);
      callback(...args);
    }, delayMs);
    timers.add(timer);
    return timer;
  };
  const cleared = (timer?: Parameters<typeof clearTimeout>[0]) => {
    timers.delete(timer);
    clearTimeout(timer);
  };
  replaceGlobal("setTimeout", tracked, setTimeout);
  replaceGlobal("clearTimeout", cleared, clearTimeout);
}

function trackFetches() {
  const { fetch } = globalThis;
  const tracked = (input: Request | URL | string, init?: RequestInit) => counted(fetch(input, init));
  replaceGlobal("fetch", tracked, fetch);
}
