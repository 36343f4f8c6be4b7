import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

/** A whole answer. */
export interface Http2Answer {
  status: number;
  body: string;
}

/** Whom an {@linkcode Http2Visitor} asks. */
export interface Http2VisitorOptions {
  /** Of TLS, on this machine. */
  port: number;
  serverName: string;
  /** PEM of the only authority that is trusted. */
  ca: string;
}

/** A connection of the client of `node:http2`; disposed, it is cut. */
export class Http2Visitor implements AsyncDisposable {
  readonly #session: ClientHttp2Session;
  readonly #serverName: string;
  readonly closed: Promise<void>;
  /** Codes of the GOAWAYs. */
  readonly goaways: number[] = [];

  private constructor({ port, serverName, ca }: Http2VisitorOptions) {
    this.#serverName = serverName;
    this.#session = connect(`https://127.0.0.1:${port}`, { servername: serverName, ca });
    this.#session.on("goaway", (code) => this.goaways.push(code));
    this.closed = new Promise((resolve) => this.#session.on("close", resolve));
  }

  /** @throws {Error} It cannot connect. */
  static async open(options: Http2VisitorOptions): Promise<Http2Visitor> {
    const visitor = new Http2Visitor(options);
    const session = visitor.#session;
    await new Promise<void>((resolve, reject) => {
      session.on("connect", () => resolve());
      session.on("error", reject);
    });
    return visitor;
  }

  /** As agreed by ALPN. */
  get protocol(): string | undefined {
    return this.#session.alpnProtocol;
  }

  /** Begins a request; its errors are for who waits for its answer. */
  request(path: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = this.#session.request({ ":path": path, ":authority": this.#serverName, ...headers });
    stream.on("error", () => {});
    return stream;
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Http2Answer> {
    const stream = this.request(path, headers);
    stream.end();
    return await answerTo(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    await this.closed;
  }
}

/** The whole answer to a request. Rejects if it is cut. */
export function answerTo(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const answer = { status: 0, body: "" };
    stream.on("response", (fields) => answer.status = Number(fields[":status"]));
    stream.on("data", (data) => answer.body += data);
    stream.on("end", () => resolve(answer));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error(`The stream was closed with code ${stream.rstCode}`)));
  });
}
