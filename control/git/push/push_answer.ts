import { FLUSH, packet } from "./pkt_line.ts";

/** Bands of the side band (gitprotocol-pack(5), "Packfile Data"). */
const BAND = { report: 1, progress: 2, error: 3 } as const;
/** The shortest packet of a client that knows the side band only in its first form. */
const MAX_TEXT_BYTES = 900;
/** They wait here if whoever pushes reads slowly. */
const MAX_LINES = 10_000;
/** Of silence, after which a proxy between may think that nobody is there. */
const KEEPALIVE_MS = 15_000;
// deno-lint-ignore no-control-regex -- a terminal would act on them
const CONTROL_CHARACTERS = /[\0-\x08\x0b-\x1f\x7f]/g;

/** What a push is answered: git's own report, and beside it what else there is to tell. Whoever pushes may leave meanwhile. */
export class PushAnswer {
  readonly body: ReadableStream<Uint8Array>;
  readonly #hasSideBand: boolean;
  readonly #keepalive: ReturnType<typeof setInterval>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #lines = 0;
  #ended = false;

  /** @param hasSideBand Whether the client can be told anything beside the report. */
  constructor(hasSideBand: boolean) {
    this.#hasSideBand = hasSideBand;
    this.body = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      cancel: () => this.#stop(),
    });
    this.#keepalive = setInterval(() => this.#send(BAND.report, new Uint8Array()), KEEPALIVE_MS);
  }

  /** Passes a packet of git's on. */
  pass(payload: Uint8Array): void {
    if (!this.#ended) this.#controller.enqueue(packet(payload));
  }

  /** Shows a text to whoever pushes, as lines that begin with `remote:`. */
  tell(text: string): void {
    for (const line of text.replaceAll(CONTROL_CHARACTERS, "").split("\n")) {
      if (this.#lines++ >= MAX_LINES) return;
      this.#send(BAND.progress, new TextEncoder().encode(line).subarray(0, MAX_TEXT_BYTES), "\n");
    }
  }

  /** Has the push fail in the client. Only before git has reported. */
  fail(message: string): void {
    this.#send(BAND.error, new TextEncoder().encode(message).subarray(0, MAX_TEXT_BYTES), "\n");
  }

  end(): void {
    if (this.#ended) return;
    this.#controller.enqueue(FLUSH);
    this.#controller.close();
    this.#stop();
  }

  #send(band: number, text: Uint8Array, end = ""): void {
    if (this.#hasSideBand) this.pass(Uint8Array.of(band, ...text, ...new TextEncoder().encode(end)));
  }

  #stop(): void {
    this.#ended = true;
    clearInterval(this.#keepalive);
  }
}
