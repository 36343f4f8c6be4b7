import type { AppLogLine, SandboxEndReason } from "../../isolate/mod.ts";
import type { UsageDelta } from "../usage/mod.ts";

/** One isolate that has, or is to have, a deployment's program. */
export interface IsolateRef {
  isolateId: string;
  deploymentId: string;
}

/** How an isolate ended, or why it never served. */
export interface IsolateEnd {
  reason: SandboxEndReason;
  /** In words for the program's author; not set where there is nothing to say. */
  message?: string;
}

/** Who says a line: the program, or the server about it, which is in the message of `failed` or `ended` as well. */
export type LineSource = "program" | "server";

/**
 * Who hears what becomes of isolates. Of one isolate, in this order: `assigned`, then `serving` or `failed`, then `ended`,
 * each once; `printed` and `used` from `assigned` on, the last `used` before `ended`. What is told is never waited for.
 */
export interface IsolateObserver {
  /** It is to run the deployment's program. */
  assigned(isolate: IsolateRef): void;
  /** Its program serves, so long after `assigned`. */
  serving(isolate: IsolateRef, bootMs: number): void;
  /** Its program does not come to serve. */
  failed(isolate: IsolateRef, end: IsolateEnd): void;
  printed(isolate: IsolateRef, line: AppLogLine, source: LineSource): void;
  /** What it used since the last time: once a second, and at its end. */
  used(isolate: IsolateRef, delta: UsageDelta): void;
  /** It is gone. */
  ended(isolate: IsolateRef, end: IsolateEnd): void;
}

/** Tells each of them what it has a method for, in their order. */
export function tellAll(...observers: readonly Partial<IsolateObserver>[]): IsolateObserver {
  return {
    assigned(...told) {
      for (const observer of observers) observer.assigned?.(...told);
    },
    serving(...told) {
      for (const observer of observers) observer.serving?.(...told);
    },
    failed(...told) {
      for (const observer of observers) observer.failed?.(...told);
    },
    printed(...told) {
      for (const observer of observers) observer.printed?.(...told);
    },
    used(...told) {
      for (const observer of observers) observer.used?.(...told);
    },
    ended(...told) {
      for (const observer of observers) observer.ended?.(...told);
    },
  };
}
