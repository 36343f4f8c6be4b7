import type { AppLogLine, SandboxEndReason } from "../../isolate/mod.ts";
import type { IsolateEnd, IsolateObserver, IsolateRef } from "./isolate_observer.ts";

/** Tells of one isolate, in the order that {@linkcode IsolateObserver} promises, whatever order it is told itself. */
export class IsolateCourse {
  readonly #isolate: IsolateRef;
  readonly #observer: IsolateObserver;
  readonly #assignedAtMs: number;
  #state: "booting" | "serving" | "failed" | "ended" = "booting";

  /** It is to run the deployment's program from now on, in ms on a clock that is never set back. */
  constructor(isolate: IsolateRef, observer: IsolateObserver, now: number) {
    this.#isolate = isolate;
    this.#observer = observer;
    this.#assignedAtMs = now;
    observer.assigned(isolate);
  }

  /** Its program said a line. */
  printed(line: AppLogLine): void {
    this.#observer.printed(this.#isolate, line, "program");
  }

  /** Its program accepts requests. */
  serving(now: number): void {
    if (this.#state !== "booting") return;
    this.#state = "serving";
    this.#observer.serving(this.#isolate, now - this.#assignedAtMs);
  }

  /** Of no effect when it was told before: the first explanation is the closest to the cause. */
  failed(end: Required<IsolateEnd>): void {
    if (this.#state !== "booting") return;
    this.#state = "failed";
    this.#say(end);
    this.#observer.failed(this.#isolate, end);
  }

  /** It is gone, with what is to be said of that, if anything is; `detail` says it to who does not know of a failure yet. */
  ended(reason: SandboxEndReason, message: string | undefined, detail: string): void {
    if (this.#state === "booting") this.failed({ reason, message: message ?? bootText(reason, detail) });
    else if (this.#state === "serving" && message !== undefined) this.#say({ reason, message });
    this.#state = "ended";
    const text = message ?? (reason === "exited" ? detail : undefined);
    this.#observer.ended(this.#isolate, { reason, ...(text === undefined ? {} : { message: text }) });
  }

  #say({ reason, message }: Required<IsolateEnd>) {
    // What the program said when it ended itself was printed already.
    if (reason === "exited") return;
    this.#observer.printed(
      this.#isolate,
      { time: new Date().toISOString(), level: "error", message },
      "server",
    );
  }
}

function bootText(reason: SandboxEndReason, detail: string): string {
  return reason === "exited" ? detail : `Cannot start the program: its process ended (${detail})`;
}
