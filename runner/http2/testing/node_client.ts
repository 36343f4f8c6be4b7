import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

const A = { ":authority": "a.test", ":path": "/" };

/** A client of Node's, closed at the end. */
export class NodeClient implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly #closed = Promise.withResolvers<void>();

  constructor(port: number) {
    this.session = connect(`http://127.0.0.1:${port}`);
    this.session.on("close", this.#closed.resolve);
    this.session.on("error", () => {});
  }

  /** Sends a request for `http://a.test/`, as far as `fields` do not say otherwise. */
  request(fields: Record<string, string | string[]>, endStream = true): ClientHttp2Stream {
    const stream = this.session.request({ ...A, ...fields }, { endStream });
    stream.on("error", () => {});
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    await this.#closed.promise;
  }
}

/** A whole answer. */
export interface Answer {
  status: number;
  fields: Record<string, unknown>;
  body: Uint8Array;
}

/** The whole answer; rejects if it is cut. */
export function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const answer: Answer = { status: 0, fields: {}, body: new Uint8Array(0) };
    const parts: Uint8Array<ArrayBuffer>[] = [];
    stream.on("response", (fields) => {
      answer.status = Number(fields[":status"]);
      answer.fields = fields;
    });
    stream.on("data", (part) => parts.push(part));
    stream.on("end", async () => resolve({ ...answer, body: await new Blob(parts).bytes() }));
    stream.on("error", reject);
    stream.on("aborted", () => reject(new Error("The stream was aborted")));
  });
}

/** The text of the whole answer; rejects if it is cut. */
export async function textOf(stream: ClientHttp2Stream): Promise<string> {
  return new TextDecoder().decode((await answerOf(stream)).body);
}
