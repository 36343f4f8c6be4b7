import { Follower, type FollowerOptions } from "./follower.ts";

/** Live readers of one log at once. */
const MAX_FOLLOWERS = 1000;

/** The live readers of a log, by whose lines they follow. */
export class Followers<Line> {
  readonly #byScope = new Map<string, Set<Follower<Line>>>();
  #count = 0;
  #closed = false;

  /**
   * Follows the lines from now on, until `signal` aborts, the iterator is returned, or the readers are ended.
   *
   * @returns `null` when there are too many readers, or all were ended for good.
   */
  follow(
    scope: string,
    options: FollowerOptions<Line>,
    signal: AbortSignal,
  ): AsyncIterableIterator<Line> | null {
    if (this.#closed || this.#count >= MAX_FOLLOWERS) return null;
    const abort = () => follower.close();
    const follower: Follower<Line> = new Follower(options, () => {
      signal.removeEventListener("abort", abort);
      this.#remove(scope, follower);
    });
    const followers = this.#byScope.get(scope) ?? new Set();
    this.#byScope.set(scope, followers.add(follower));
    this.#count++;
    signal.addEventListener("abort", abort);
    if (signal.aborted) follower.close();
    return follower;
  }

  /** Offers lines to who follows them. */
  push(scope: string, lines: readonly Line[]): void {
    for (const follower of this.#byScope.get(scope) ?? []) for (const line of lines) follower.push(line);
  }

  /** Ends those who follow these lines. */
  end(scope: string): void {
    for (const follower of this.#byScope.get(scope) ?? []) follower.close();
  }

  /** Ends all. */
  endAll(): void {
    for (const scope of [...this.#byScope.keys()]) this.end(scope);
  }

  /** Ends all, and takes no more. Idempotent. */
  close(): void {
    this.#closed = true;
    this.endAll();
  }

  #remove(scope: string, follower: Follower<Line>): void {
    const followers = this.#byScope.get(scope);
    if (followers?.delete(follower)) this.#count--;
    if (followers?.size === 0) this.#byScope.delete(scope);
  }
}
