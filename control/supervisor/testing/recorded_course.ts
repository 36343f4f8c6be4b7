import type { AppLogLine } from "../../../isolate/mod.ts";
import type { IsolateEnd, IsolateObserver, IsolateRef, LineSource } from "../isolate_observer.ts";

/** One thing that was told of an isolate. */
export interface Told {
  what: keyof IsolateObserver;
  deploymentId: string;
  /** Of an end, or a line. */
  text?: string;
}

/** Writes down what an observer is told, by isolate; `used` apart. */
export class RecordedCourse implements Omit<IsolateObserver, "used"> {
  readonly #told = new Map<string, Told[]>();

  /** What was told of the isolates of a deployment, one isolate after the other, such as "serving". */
  of(deploymentId: string): string[][] {
    return [...this.#told.values()]
      .filter(([first]) => first?.deploymentId === deploymentId)
      .map((told) => told.map(({ what, text }) => text === undefined ? what : `${what} ${text}`));
  }

  assigned(isolate: IsolateRef): void {
    this.#add(isolate, "assigned");
  }

  serving(isolate: IsolateRef): void {
    this.#add(isolate, "serving");
  }

  failed(isolate: IsolateRef, { reason, message }: IsolateEnd): void {
    this.#add(isolate, "failed", `${reason}: ${message}`);
  }

  printed(isolate: IsolateRef, { message }: AppLogLine, source: LineSource): void {
    this.#add(isolate, "printed", `${source}: ${message}`);
  }

  ended(isolate: IsolateRef, { reason, message }: IsolateEnd): void {
    this.#add(isolate, "ended", message === undefined ? reason : `${reason}: ${message}`);
  }

  #add({ isolateId, deploymentId }: IsolateRef, what: Told["what"], text?: string) {
    const told = this.#told.get(isolateId);
    const entry: Told = { what, deploymentId, text };
    if (told === undefined) this.#told.set(isolateId, [entry]);
    else told.push(entry);
  }
}
