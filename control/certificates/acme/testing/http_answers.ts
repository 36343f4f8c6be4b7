import type { Challenge } from "../../../../runner/mod.ts";

/** A web server that answers http-01 challenges, in the place of the runners. */
export class HttpAnswers implements AsyncDisposable {
  readonly port: number;
  /** Hostnames that were asked for. */
  readonly asked: string[] = [];
  /** What it answers instead. */
  override: string | null = null;
  readonly #answers = new Map<string, string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
    this.port = this.#server.addr.port;
  }

  /** How many challenges are answered now. */
  get size(): number {
    return this.#answers.size;
  }

  /** As `ChallengeAnswers.publish`. */
  readonly publish = (challenges: readonly Challenge[]): Promise<AsyncDisposable> => {
    const urls = challenges.map(({ hostname, token }) => `${hostname}/.well-known/acme-challenge/${token}`);
    challenges.forEach(({ keyAuthorization }, i) => this.#answers.set(urls[i]!, keyAuthorization));
    return Promise.resolve({
      [Symbol.asyncDispose]: () => {
        for (const url of urls) this.#answers.delete(url);
        return Promise.resolve();
      },
    });
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #answer(request: Request): Response {
    const { hostname, pathname } = new URL(request.url);
    this.asked.push(hostname);
    const body = this.override ?? this.#answers.get(hostname + pathname);
    return new Response(body ?? "nothing here", { status: body === undefined ? 404 : 200 });
  }
}
