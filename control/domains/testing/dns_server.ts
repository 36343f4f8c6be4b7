import { Buffer } from "node:buffer";
import { AUTHORITATIVE_ANSWER, decode, encode } from "dns-packet";

/** Addresses, or texts, by record type. */
export type TestRecords = Partial<Record<"A" | "AAAA" | "TXT", string[]>>;

const NOT_FOUND = 3;

/** A name server on loopback, for tests. */
export class TestDnsServer implements AsyncDisposable {
  /** By name, in lower case. Any other name does not exist. */
  readonly records = new Map<string, TestRecords>();
  /** Names that are never answered for. */
  readonly silent = new Set<string>();
  /** "NAME TYPE" of each question. */
  readonly questions: string[] = [];
  /** As `DnsConfig.servers` has it. */
  readonly address: string;
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #done: Promise<void>;

  constructor() {
    this.address = `127.0.0.1:${(this.#socket.addr as Deno.NetAddr).port}`;
    this.#done = this.#serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#done;
  }

  async #serve(): Promise<void> {
    for await (const [datagram, from] of this.#socket) {
      const query = decode(Buffer.from(datagram));
      const { name, type } = query.questions![0]!;
      this.questions.push(`${name} ${type}`);
      if (this.silent.has(name)) continue;
      const records = this.records.get(name);
      const values = records?.[type as keyof TestRecords] ?? [];
      const answers = values.map((data) => ({ type: type as "A" | "AAAA", name, data }));
      const flags = AUTHORITATIVE_ANSWER | (records === undefined ? NOT_FOUND : 0);
      const response = {
        type: "response" as const,
        id: query.id,
        flags,
        questions: query.questions,
        answers,
      };
      // Who does not wait any more has closed its socket.
      await this.#socket.send(encode(response), from).catch(() => {});
    }
  }
}
