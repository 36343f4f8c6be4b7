import type { FileRequests } from "./file_requests.ts";
import type { FileView, NamedPath } from "./file_view.ts";

/** Files that are put in place when the program asks for them. */
export class FetchedFiles {
  readonly #view: FileView;
  readonly #requests: FileRequests;

  constructor(view: FileView, requests: FileRequests) {
    this.#view = view;
    this.#requests = requests;
  }

  /**
   * The result of `use`, which gets the path of where the file is when it is there: with what is in it, if `content` is set.
   * Nobody waits for that any more when `signal` says so.
   *
   * @throws {Error} what `use` throws, as the program is to see it, or that the file cannot be had
   */
  async at<T>(
    named: NamedPath,
    content: boolean,
    use: (real: string) => T | Promise<T>,
    signal?: AbortSignal | null,
  ): Promise<T> {
    const located = this.#view.locate(named);
    await unlessAborted(this.#requests.ready(located, content), signal);
    try {
      return await use(this.#view.real(located));
    } catch (error) {
      throw this.#presented(error);
    }
  }

  /** A text in which paths are as the program knows them. */
  present(text: string): string {
    return this.#view.present(text);
  }

  #presented(error: unknown): unknown {
    if (!(error instanceof Error)) return error;
    const texts = error as unknown as Record<string, unknown>;
    for (const name of ["message", "stack", "path"]) {
      const text = texts[name];
      // That of a DOMException cannot be set.
      if (typeof text === "string") Reflect.set(texts, name, this.present(text));
    }
    return error;
  }
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal | null | undefined) {
  if (!signal) return await work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
