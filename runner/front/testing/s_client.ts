/** What openssl's client said about a connection. */
export interface SClientResult {
  success: boolean;
  /** Of both its outputs. */
  output: string;
}

/** Connects as openssl's `s_client` with these arguments, sends the input, and waits for the end. */
export async function sClient(port: number, args: string[], input = ""): Promise<SClientResult> {
  using process = new SClient(port, args);
  await process.write(input);
  await process.end();
  return await process.finish();
}

/** An `s_client` that goes on until its input ends. */
export class SClient implements Disposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #outputs: Promise<void[]>;
  /** So far, of both its outputs. */
  output = "";

  constructor(port: number, args: string[]) {
    this.#process = new Deno.Command("openssl", {
      args: ["s_client", "-connect", `127.0.0.1:${port}`, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#outputs = Promise.all(
      [this.#process.stdout, this.#process.stderr].map((stream) => this.#collect(stream)),
    );
  }

  async write(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text)).catch(() => {});
  }

  async end(): Promise<void> {
    await this.#input.close().catch(() => {});
  }

  async finish(): Promise<SClientResult> {
    const { success } = await this.#process.status;
    await this.#outputs;
    return { success, output: this.output };
  }

  [Symbol.dispose](): void {
    try {
      this.#process.kill();
    } catch {
      // It has ended.
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream("latin1"))) this.output += text;
  }
}
