import type { FromReader, LogPage, LogQuery, ToReader } from "./log_query.ts";

/** Pages read at once, each in turn. */
const MAX_READING = 8;
/** Pages that wait to be read; more are refused. */
const MAX_WAITING = 200;

interface Read {
  id: number;
  query: LogQuery;
  answer: PromiseWithResolvers<LogPage>;
}

/** Too many read logs at once: try again. */
export class LogsBusyError extends Error {
  override readonly name = "LogsBusyError";

  constructor() {
    super("Too many read logs at once: try again");
  }
}

/**
 * Reads past lines on a thread of its own, which is started by the first to ask: neither a search through all of them nor
 * their JSON is work of the control thread's.
 */
export class LogReader implements Disposable {
  readonly #path: string;
  #worker: Worker | null = null;
  readonly #reading = new Map<number, Read>();
  #waiting: Read[] = [];
  #count = 0;

  /** @param path Of `logs.db`, which is there. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * One page.
   *
   * @throws {LogsBusyError} too many wait
   * @throws {Error} the file cannot be read
   * @throws the reason of `signal`, once it is aborted
   */
  async read(query: LogQuery, signal: AbortSignal): Promise<LogPage> {
    signal.throwIfAborted();
    if (this.#waiting.length >= MAX_WAITING) throw new LogsBusyError();
    const read = { id: ++this.#count, query, answer: Promise.withResolvers<LogPage>() };
    const cancel = () => this.#cancel(read, signal.reason);
    signal.addEventListener("abort", cancel);
    this.#waiting.push(read);
    this.#next();
    try {
      return await read.answer.promise;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  /** Ends the thread; whoever waits is refused. Idempotent. */
  [Symbol.dispose](): void {
    this.#fail(new Error("Cannot read logs: they are closed"));
  }

  #next(): void {
    while (this.#reading.size < MAX_READING) {
      const read = this.#waiting.shift();
      if (read === undefined) return;
      this.#reading.set(read.id, read);
      this.#post({ type: "read", id: read.id, query: read.query });
    }
  }

  #cancel(read: Read, reason: unknown): void {
    if (this.#reading.delete(read.id)) this.#post({ type: "cancel", id: read.id });
    else this.#waiting = this.#waiting.filter((other) => other !== read);
    read.answer.reject(reason);
    this.#next();
  }

  #post(message: ToReader): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(message);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./reader_worker.ts", import.meta.url), {
      type: "module",
      name: "logs",
    });
    worker.onmessage = ({ data }: MessageEvent<FromReader>) => this.#receive(data);
    // The next to ask starts another.
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`Cannot read logs: ${event.message}`));
    };
    const open: ToReader = { type: "open", path: this.#path };
    worker.postMessage(open);
    return worker;
  }

  #receive(message: FromReader): void {
    const read = this.#reading.get(message.id);
    // It was cancelled while its page was on the way.
    if (read === undefined) return;
    this.#reading.delete(message.id);
    if (message.type === "page") read.answer.resolve(message.page);
    else read.answer.reject(new Error(`Cannot read logs: ${message.message}`));
    this.#next();
  }

  #fail(error: Error): void {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { answer } of [...this.#reading.values(), ...this.#waiting]) answer.reject(error);
    this.#reading.clear();
    this.#waiting = [];
  }
}
