import { FLUSH, packet } from "./pkt_line.ts";

/** Bands of the side band (gitprotocol-pack(5), "Packfile Data"). */
const BAND = { report: 1, progress: 2, error: 3 } as const;
/** The shortest packet of a client that knows the side band only in its first form. */
const MAX_TEXT_BYTES = 900;
const LINE_FEED = 0x0a;
/** They wait here if whoever pushes reads slowly. */
const MAX_LINES = 10_000;
/** Of silence, after which a proxy between may think that nobody is there. */
const KEEPALIVE_MS = 15_000;
/** But tabs; a terminal would act on them. */
const CONTROL_CHARACTERS = /[^\P{Cc}\t]/gu;

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
    for (const line of text.split("\n")) {
      if (this.#lines++ >= MAX_LINES) return;
      this.#say(BAND.progress, line);
    }
  }

  /** Has the push fail in the client. Only before git has reported. */
  fail(message: string): void {
    this.#say(BAND.error, message);
  }

  end(): void {
    if (this.#ended) return;
    this.#controller.enqueue(FLUSH);
    this.#controller.close();
    this.#stop();
  }

  #say(band: number, line: string): void {
    const text = new TextEncoder().encode(line.replaceAll(CONTROL_CHARACTERS, ""));
    this.#send(band, Uint8Array.of(...text.subarray(0, MAX_TEXT_BYTES), LINE_FEED));
  }

  #send(band: number, text: Uint8Array): void {
    if (this.#hasSideBand) this.pass(Uint8Array.of(band, ...text));
  }

  #stop(): void {
    this.#ended = true;
    clearInterval(this.#keepalive);
  }
}
