import type { SandboxLogLevel } from "../protocol.ts";
import type { Post } from "./exit.ts";

/** Longer messages are cut here to spare the pipe; the keeper, which keeps 2048 bytes, then sees that there was more. */
const MAX_MESSAGE_CHARS = 2_049;
const MAX_MESSAGES_PER_SECOND = 1_000;
const LEVELS: readonly SandboxLogLevel[] = ["debug", "info", "warning", "error"];

interface Internals {
  Console: new (print: (text: string, level: number) => void) => Console;
}

/** Sends what the program prints with `console` as messages with a level. */
export function captureConsole(post: Post, appDir: string): void {
  const { Console } = (Deno as unknown as Record<symbol, Internals>)[
    (Deno as unknown as { internal: symbol }).internal
  ]!;
  const send = rateLimited(post);
  const replacement = new Console((text, level) =>
    send(LEVELS[level] ?? "info", presentable(text.replace(/\n$/, ""), appDir))
  );
  Object.defineProperty(globalThis, "console", { value: replacement, writable: true, configurable: true });
}

function rateLimited(post: Post): (level: SandboxLogLevel, message: string) => void {
  const { now } = Date;
  const { setTimeout } = globalThis; // Not the program's own work.
  let second = 0;
  let sent = 0;
  const roll = () => {
    const current = Math.floor(now() / 1000);
    if (current === second) return;
    if (sent > MAX_MESSAGES_PER_SECOND) post({ type: "dropped", count: sent - MAX_MESSAGES_PER_SECOND });
    second = current;
    sent = 0;
  };
  return (level, message) => {
    roll();
    if (++sent <= MAX_MESSAGES_PER_SECOND) {
      post({ type: "log", level, message: message.slice(0, MAX_MESSAGE_CHARS) });
    } else if (sent === MAX_MESSAGES_PER_SECOND + 1) setTimeout(roll, 1000); // It may print nothing more.
  };
}

/** A frame of the runtime or of the guest itself, which says nothing about the program. */
const FOREIGN_FRAME = /\n\s+at [^\n]*(?:\bext:|\/boot\/[a-z_]+\.js:)[^\n]*/g;

/** Where the files are on this machine is nobody's business: the program lives in `/app`. */
function presentable(text: string, appDir: string): string {
  const own = text.includes("\n    at ") ? text.replace(FOREIGN_FRAME, "") : text;
  return own.replaceAll(appDir, "/app").replaceAll(urlPath(appDir), "/app");
}

/** A path as it stands in a `file:` URL. */
function urlPath(path: string): string {
  const url = new URL("file:///");
  url.pathname = path.replaceAll(/[%\\\t\n\r]/g, encodeURIComponent);
  return url.pathname;
}

/** An error as `deno run` would print it, with its stack and causes. */
export function describeError(error: unknown, appDir: string): string {
  return presentable(Deno.inspect(error, { colors: false }), appDir);
}

/**
 * An error that nobody catches ends the program, as in any process, unless the program says otherwise with a listener
 * that calls `preventDefault()` or by `process.on`. The runtime would end the Worker without a word to the keeper.
 */
export function captureUncaught(post: Post, appDir: string): void {
  watch(
    "error",
    "uncaughtException",
    (event) => (event as ErrorEvent).error ?? (event as ErrorEvent).message,
  );
  watch("unhandledrejection", "unhandledRejection", (event) => (event as PromiseRejectionEvent).reason);

  function watch(type: string, nodeName: string, reason: (event: Event) => unknown) {
    self.addEventListener(type, (event) => {
      const prevent = event.preventDefault.bind(event);
      let handled = false;
      event.preventDefault = () => {
        handled = true;
      };
      prevent();
      queueMicrotask(() => {
        if (handled || emitToNode(nodeName, event, reason(event))) return;
        const prefix = type === "error" ? "Uncaught" : "Uncaught (in promise)";
        post({ type: "exit", code: 1, message: `${prefix} ${describeError(reason(event), appDir)}` });
      });
    });
  }
}

/** Whether `process.on(name)` has a listener, which then gets the error. */
function emitToNode(name: string, event: Event, reason: unknown): boolean {
  const { process } = globalThis as unknown as {
    process?: { listenerCount(name: string): number; emit(name: string, ...args: unknown[]): void };
  };
  if (!process || process.listenerCount(name) === 0) return false;
  process.emit(name, reason, (event as PromiseRejectionEvent).promise ?? name);
  return true;
}
