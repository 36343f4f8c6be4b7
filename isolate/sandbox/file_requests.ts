import type { FromSandbox, ToSandbox } from "../protocol.ts";

type Question = Extract<FromSandbox, { type: "file" }>;
type Answer = Extract<ToSandbox, { type: "file" }>;

/** What {@linkcode FileRequests} works with. */
export interface FileRequestsOptions {
  /** Sends a question to the keeper; the answer comes as a message to this Worker. */
  post(question: Question): void;
  /** Has the program count as busy until that is settled. */
  counted<T>(work: Promise<T>): Promise<T>;
}

/** More wait for their turn. Far fewer than a keeper allows. */
const MAX_OPEN = 16;
/** Paths that need not be asked for again; past it, all are forgotten. */
const MAX_KNOWN = 10_000;

/** Has the keeper put files in place, and waits until they are there. */
export class FileRequests {
  readonly #options: FileRequestsOptions;
  /** By the path, and the empty one for where files are; kept when they have succeeded. */
  readonly #known = new Map<string, Promise<void>>();
  readonly #open = new Map<number, (answer: Answer) => void>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #lastId = 0;

  constructor(options: FileRequestsOptions) {
    this.#options = options;
  }

  /**
   * Settles when it is known what there is, and what is in the file at `path` if `content` is set. Where nothing is, that is
   * no error.
   *
   * @throws {Error} whose message is the keeper's
   */
  async ready(path: string, content: boolean): Promise<void> {
    // The first look at anything shows all folders and files.
    const key = content ? path : "";
    const known = this.#known.get(key);
    if (known !== undefined) return await known;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const asked = this.#options.counted(this.#ask(path, content));
    this.#known.set(key, asked);
    try {
      await asked;
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }

  /** The keeper's answer has come. */
  answer(answer: Answer): void {
    this.#open.get(answer.id)?.(answer);
    this.#open.delete(answer.id);
  }

  async #ask(path: string, content: boolean) {
    if (this.#running >= MAX_OPEN) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const id = ++this.#lastId;
    this.#open.set(id, resolve);
    this.#options.post({ type: "file", id, path, content });
    const { error } = await promise;
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
    if (error !== undefined) throw new Error(error);
  }
}
