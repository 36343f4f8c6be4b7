import { basename } from "node:path";
import { CliError } from "../../cli/cli_error.ts";
import { linesOf } from "../../process/lines_of.ts";

const START_TIMEOUT_MS = 30_000;
/** Of what it prints: longer lines are cut. */
const MAX_LINE_LENGTH = 64 * 1024;

/** What a program is started with, and may do. */
export interface DenoProgramOptions {
  /** Hosts with their ports. */
  net: readonly string[];
  /** Absolute paths. */
  read: readonly string[];
  /** Variables that it may ask for. */
  envNames: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Told of each line that it prints, but the one that says where it listens. */
  print(line: string): void;
}

/** A server of one file, in a process of its own, whose first line says where it listens: "… on http://…". */
export class DenoProgram implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #listening = Promise.withResolvers<void>();
  readonly #output: Promise<unknown>;
  #isRunning = true;
  #url = "";

  private constructor(path: string, { net, read, envNames, env, print }: DenoProgramOptions) {
    const paths = read.map((path) => path.replaceAll(",", ",,"));
    const allowed = [`--allow-net=${net}`, `--allow-read=${paths}`, `--allow-env=${envNames}`];
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...allowed, path],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr, status } = this.#process;
    status.then(() => this.#isRunning = false);
    this.#output = Promise.all([this.#readOutput(stdout, print), printAll(stderr, print)]);
  }

  /**
   * Starts it, and waits until it listens.
   *
   * @throws {CliError} it ends before, or does not listen within 30 s
   */
  static async start(path: string, options: DenoProgramOptions): Promise<DenoProgram> {
    const program = new DenoProgram(path, options);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, START_TIMEOUT_MS);
    await Promise.race([program.#listening.promise, program.ended, late]);
    clearTimeout(timer);
    if (program.url !== "") return program;
    const problem = program.#isRunning ? `does not listen after ${START_TIMEOUT_MS}ms` : "ended";
    await program[Symbol.asyncDispose]();
    throw new CliError("failed", `Cannot start "${basename(path)}": it ${problem}`);
  }

  /** Where it listens. */
  get url(): string {
    return this.#url;
  }

  /** Resolves when it has ended, and all that it printed was told. */
  get ended(): Promise<Deno.CommandStatus> {
    return this.#output.then(() => this.#process.status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRunning) this.#process.kill("SIGTERM");
    await this.ended;
  }

  async #readOutput(stdout: ReadableStream<Uint8Array<ArrayBuffer>>, print: (line: string) => void) {
    for await (const line of linesOf(stdout, MAX_LINE_LENGTH)) {
      const [, url] = this.#url === "" ? /\bon (http:\S+)$/.exec(line) ?? [] : [];
      if (url === undefined) {
        print(line);
        continue;
      }
      this.#url = url;
      this.#listening.resolve();
    }
  }
}

async function printAll(stream: ReadableStream<Uint8Array<ArrayBuffer>>, print: (line: string) => void) {
  for await (const line of linesOf(stream, MAX_LINE_LENGTH)) print(line);
}
