/** Takes commit statuses, as the API of a provider does. */
export interface ReceivedStatus {
  path: string;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- JSON of any shape, which the tests look into
  body: any;
}

/** One on loopback. */
export class StatusReceiver implements AsyncDisposable {
  readonly url: string;
  /** `host:port`. */
  readonly target: string;
  /** Statuses with which the next requests are answered; then 201. */
  readonly failures: number[] = [];
  readonly #received: ReceivedStatus[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      this.#received.push({
        path: new URL(request.url).pathname,
        headers: request.headers,
        body: await request.json(),
      });
      this.#waiting.splice(0).forEach((wake) => wake());
      const status = this.failures.shift() ?? 201;
      return Response.json({ message: status === 201 ? "" : "not this time" }, { status });
    });
    this.target = `127.0.0.1:${this.#server.addr.port}`;
    this.url = `http://${this.target}`;
  }

  /** Waits until so many have come. */
  async received(count: number): Promise<ReceivedStatus[]> {
    while (this.#received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
