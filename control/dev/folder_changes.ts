import { isNeverDeployed } from "../snapshot/deployed_paths.ts";

/** An editor saves in several steps (write, rename, chmod): a change is over when nothing has happened for so long. */
const SETTLE_MS = 30;
/** Something that writes all the time must not put off the deployment for ever. */
const MAX_SETTLE_MS = 1000;

/** Notices saves below a folder. A change while nobody waits is kept, any number of them as one. */
export class FolderChanges implements AsyncDisposable {
  readonly #watcher: Deno.FsWatcher;
  readonly #pumping: Promise<void>;
  #firstAt: number | undefined;
  #lastAt = 0;
  #closed = false;
  #wake = () => {};

  constructor(readonly folder: string) {
    this.#watcher = Deno.watchFs(folder);
    this.#pumping = this.#pump();
  }

  /** Waits for a change and until it is over. Returns when it began (`performance.now()`); `undefined` once closed. */
  async next(): Promise<number | undefined> {
    while (this.#firstAt === undefined && !this.#closed) await this.#wakened();
    for (;;) {
      if (this.#closed || this.#firstAt === undefined) return undefined;
      const now = performance.now();
      const settledAt = Math.min(this.#lastAt + SETTLE_MS, this.#firstAt + MAX_SETTLE_MS);
      if (now >= settledAt) break;
      await this.#wakened(settledAt - now);
    }
    const firstAt = this.#firstAt;
    this.#firstAt = undefined;
    return firstAt;
  }

  /** Ends the watching; {@linkcode FolderChanges.next} returns. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watcher.close();
    this.#wake();
  }

  /** Closes, and waits until the watcher has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    for await (const { kind, paths } of this.#watcher) {
      // Reading a file, as hashing does, is reported as well.
      if (kind === "access" || !paths.some((path) => this.#concerns(path))) continue;
      this.#lastAt = performance.now();
      this.#firstAt ??= this.#lastAt;
      this.#wake();
    }
  }

  #concerns(path: string): boolean {
    return !path.slice(this.folder.length).split("/").some(isNeverDeployed);
  }

  #wakened(timeoutMs?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
    this.#wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }
}
