import type { Subject } from "./subject.ts";

/** The subjects of one benchmark, measured in turns. One that fails is left out from then on, and the others go on. */
export class Contenders implements AsyncDisposable {
  /** "NAME: why", of those that failed. */
  readonly failures: string[] = [];
  readonly #started = new AsyncDisposableStack();
  readonly #standing = new Map<string, Subject>();
  readonly #progress: (text: string) => void;

  constructor(progress: (text: string) => void) {
    this.#progress = progress;
  }

  /** Starts one more, which the reports call `name`. */
  async start<S extends Subject>(name: string, start: () => Promise<S>): Promise<S | undefined> {
    this.#progress(`start ${name}`);
    try {
      const subject = this.#started.use(await start());
      this.#standing.set(name, subject);
      return subject;
    } catch (error) {
      this.#fail(name, error);
      return undefined;
    }
  }

  /**
   * Measures each subject once a round, so that a disturbance of the machine does not fall on one alone. Resolves with what
   * was found of each that did not fail, by name, one entry a round.
   */
  async measure<T>(
    what: string,
    rounds: number,
    measure: (subject: Subject, name: string) => Promise<T>,
  ): Promise<Map<string, T[]>> {
    const found = new Map<string, T[]>();
    for (let round = 1; round <= rounds; round++) {
      for (const [name, subject] of this.#standing) {
        this.#progress(`${what}, round ${round} of ${rounds}, ${name}`);
        try {
          const measured = await measure(subject, name);
          found.set(name, [...found.get(name) ?? [], measured]);
        } catch (error) {
          this.#standing.delete(name);
          found.delete(name);
          this.#fail(name, error);
        }
      }
    }
    return found;
  }

  /** Ends them all. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#started.disposeAsync();
  }

  #fail(name: string, error: unknown): void {
    const failure = `${name}: ${(error as Error).message}`;
    this.failures.push(failure);
    this.#progress(failure);
  }
}
