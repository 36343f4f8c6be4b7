/** A server process that this benchmark started; disposal ends it and waits for its end. */
export interface Child extends AsyncDisposable {
  pid: number;
  /** The exit code, once it has ended. */
  exitCode(): number | undefined;
}

const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 15_000;
const PROBE_INTERVAL_MS = 2;

/** Starts a program, its output discarded but for errors. */
export function startChild(program: string, args: string[], env: Record<string, string> = {}): Child {
  const command = new Deno.Command(program, { args, env, stdin: "null", stdout: "null", stderr: "inherit" });
  const child = command.spawn();
  let exitCode: number | undefined;
  const ended = child.status.then(({ code }) => exitCode = code);
  return {
    pid: child.pid,
    exitCode: () => exitCode,
    async [Symbol.asyncDispose]() {
      if (exitCode !== undefined) return;
      child.kill("SIGTERM");
      const patience = setTimeout(() => child.kill("SIGKILL"), END_TIMEOUT_MS);
      await ended;
      clearTimeout(patience);
    },
  };
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Returns once `ready` does without throwing, else throws its last error after 30 s, or when `child` has ended. */
export async function until<T>(what: string, ready: () => Promise<T>, child?: Child): Promise<T> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (true) {
    try {
      return await ready();
    } catch (cause) {
      const exitCode = child?.exitCode();
      if (exitCode !== undefined) {
        throw new Error(`Cannot wait for ${what}: it exited with code ${exitCode}`, { cause });
      }
      if (performance.now() > deadline) {
        throw new Error(`Cannot wait longer than ${START_TIMEOUT_MS}ms for ${what}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
    }
  }
}
