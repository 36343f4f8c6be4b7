/** How a process is started besides its command line. */
export interface LoggedProcessOptions {
  env?: Record<string, string>;
  cwd?: string;
}

/** A child process whose output goes to a file: nothing reads in the background while a test runs. */
export class LoggedProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #outputFile: string;
  #isRunning = true;

  constructor(command: readonly string[], { env, cwd }: LoggedProcessOptions = {}) {
    this.#outputFile = Deno.makeTempFileSync({ prefix: "isola-test-", suffix: ".log" });
    this.#process = new Deno.Command("/bin/sh", {
      args: ["-c", 'out=$1; shift; exec "$@" >"$out" 2>&1', "sh", this.#outputFile, ...command],
      env: { NO_COLOR: "1", ...env },
      cwd,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process.status.then(() => this.#isRunning = false);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** What it printed so far, on both streams. */
  get output(): string {
    return Deno.readTextFileSync(this.#outputFile);
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    try {
      this.#process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // Ended already.
    }
    return await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGTERM");
    await Deno.remove(this.#outputFile);
  }
}
