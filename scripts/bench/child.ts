/** A server process that this benchmark started; disposal ends it and waits for its end. */
export interface Child extends AsyncDisposable {
  pid: number;
}

const START_TIMEOUT_MS = 30_000;
const PROBE_INTERVAL_MS = 2;

/** Starts a program, its output discarded but for errors. */
export function startChild(program: string, args: string[], env: Record<string, string> = {}): Child {
  const command = new Deno.Command(program, { args, env, stdin: "null", stdout: "null", stderr: "inherit" });
  const child = command.spawn();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Returns once `ready` does without throwing, else throws its last error after 30 s. */
export async function until<T>(what: string, ready: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (true) {
    try {
      return await ready();
    } catch (cause) {
      if (performance.now() > deadline) {
        throw new Error(`Cannot wait longer than ${START_TIMEOUT_MS}ms for ${what}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
    }
  }
}
