import type { EgressOptions, EgressUsage, FromEgress, Net, ToEgress } from "./contract.ts";
import { parsePrivateTarget, parseTargetPattern } from "./target.ts";

export type { EgressOptions, EgressUsage } from "./contract.ts";

/** The egress proxy, as whoever started it holds it. Disposing it ends every connection. */
export interface Egress extends AsyncDisposable {
  /**
   * Listens on a unix socket for one sandbox; refuses everything until `allow`. To be called before the sandbox runs,
   * while the socket's directory is nobody else's.
   *
   * @throws {Error} It cannot listen there, or the sandbox is open already.
   */
  open(id: string, socketPath: string): Promise<void>;
  /**
   * From now on targets within `net` are allowed: `true` = every public one; else "host", "*.host", "host:port", IPs, [] =
   * none.
   *
   * @throws {RangeError} An entry is malformed.
   */
  allow(id: string, net: Net): void;
  /** Stops listening, ends its connections, answers what it used; nothing, if that was answered already. */
  close(id: string): Promise<EgressUsage>;
  /** Of every sandbox that is open. */
  usage(): Promise<EgressUsage[]>;
}

/** What {@linkcode EgressHandle} asks and waits for. */
type Question = Extract<ToEgress, { requestId: number }> extends infer Message
  ? Message extends { requestId: number } ? Omit<Message, "requestId"> : never
  : never;

/**
 * Starts the egress proxy in a worker of this process.
 *
 * @param failed called when the worker ends by itself; no sandbox has a way out from then on
 * @throws {RangeError} An entry of `allowPrivate` is malformed.
 */
export async function startEgress(
  options: EgressOptions,
  failed: (error: Error) => void = () => {},
): Promise<Egress> {
  options.allowPrivate.forEach(parsePrivateTarget);
  const egress = new EgressHandle(options, failed);
  // Answered once the worker is up.
  await egress.usage();
  return egress;
}

class EgressHandle implements Egress {
  readonly #worker: Worker;
  readonly #requests = new Map<number, PromiseWithResolvers<EgressUsage[]>>();
  #requestCount = 0;
  #error: Error | null = null;

  constructor(options: EgressOptions, failed: (error: Error) => void) {
    this.#worker = new Worker(new URL("./egress_worker.ts", import.meta.url), {
      type: "module",
      name: "egress",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromEgress>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`Egress proxy ended: ${event.message}`);
      this.#finish(error);
      failed(error);
    };
    this.#post({ type: "start", options });
  }

  async open(id: string, socketPath: string): Promise<void> {
    await this.#ask({ type: "open", id, socketPath });
  }

  allow(id: string, net: Net): void {
    if (net !== true) net.forEach(parseTargetPattern);
    this.#post({ type: "allow", id, net });
  }

  async close(id: string): Promise<EgressUsage> {
    const [usage] = await this.#ask({ type: "close", id });
    return usage ?? { id, ingressBytes: 0, egressBytes: 0, connections: 0, refused: 0 };
  }

  usage(): Promise<EgressUsage[]> {
    return this.#ask({ type: "usage" });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#finish(new Error("Egress proxy stopped"));
    this.#worker.terminate();
    return Promise.resolve();
  }

  #ask(question: Question): Promise<EgressUsage[]> {
    if (this.#error) return Promise.reject(this.#error);
    const requestId = ++this.#requestCount;
    const answer = Promise.withResolvers<EgressUsage[]>();
    this.#requests.set(requestId, answer);
    this.#post({ ...question, requestId });
    return answer.promise;
  }

  #post(message: ToEgress): void {
    if (!this.#error) this.#worker.postMessage(message);
  }

  #receive(message: FromEgress): void {
    const request = this.#requests.get(message.requestId);
    this.#requests.delete(message.requestId);
    if (message.type === "done") request?.resolve(message.usage);
    else request?.reject(new Error(message.message));
  }

  /** Fails whoever still waits. */
  #finish(error: Error): void {
    this.#error ??= error;
    for (const request of this.#requests.values()) request.reject(this.#error);
    this.#requests.clear();
  }
}
