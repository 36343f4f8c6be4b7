import { type DnsAction, type DnsProvider, DnsProviderError } from "./dns_provider.ts";

const TIMEOUT_MS = 30_000;
/** Of what it writes to its standard error, from the beginning. */
const MAX_STDERR_BYTES = 4096;

/**
 * A program of the operator's, run as `PROGRAM … present|cleanup NAME VALUE`. It succeeds with exit code 0; else the
 * error says what it wrote to its standard error. It has ended when nobody holds that any more; it has 30 s.
 */
export class CommandProvider implements DnsProvider {
  readonly #command: readonly string[];
  readonly #env: Record<string, string>;

  /** @param env All that it sees of the environment. */
  constructor(command: readonly string[], env: Record<string, string>) {
    this.#command = command;
    this.#env = env;
  }

  async present(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#run("present", name, value, signal);
  }

  async cleanup(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#run("cleanup", name, value, signal);
  }

  async #run(action: DnsAction, name: string, value: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const process = this.#spawn(action, name, value);
    const ended = AbortSignal.any([signal, timeout]);
    const kill = () => killGroup(process.pid);
    ended.addEventListener("abort", kill, { once: true });
    try {
      const stderr = await readStart(process.stderr, ended);
      const { success, code } = await process.status;
      signal.throwIfAborted();
      const program = this.#command[0];
      if (timeout.aborted) {
        throw new DnsProviderError(action, name, `"${program}" did not end within ${TIMEOUT_MS}ms`);
      }
      if (!success) {
        throw new DnsProviderError(action, name, `"${program}" ended with exit code ${code}: ${stderr}`);
      }
    } finally {
      ended.removeEventListener("abort", kill);
    }
  }

  #spawn(action: DnsAction, name: string, value: string): Deno.ChildProcess {
    const [program, ...args] = this.#command as [string, ...string[]];
    try {
      return new Deno.Command(program, {
        args: [...args, action, name, value],
        env: this.#env,
        clearEnv: true,
        detached: true,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
    } catch (cause) {
      const why = `"${program}" cannot be started: ${(cause as Error).message}`;
      throw new DnsProviderError(action, name, why, { cause });
    }
  }
}

/** The command leads a process group of its own, so that what it started ends, too. */
function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

/** Reads a stream to its end, or until the signal, and keeps its first bytes. */
async function readStart(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<string> {
  const kept = new Uint8Array(MAX_STDERR_BYTES);
  let length = 0;
  const reader = stream.getReader();
  // Whatever left the process group is not killed with it, and may hold the other end for ever.
  const cancel = () => reader.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, kept.length - length);
    kept.set(part, length);
    length += part.length;
  }
  signal.removeEventListener("abort", cancel);
  // deno-lint-ignore no-control-regex -- A terminal must not obey it.
  return new TextDecoder().decode(kept.subarray(0, length)).replaceAll(/[\x00-\x1f\x7f]+/g, " ").trim();
}
