/** A server under test: it answers with the same app, whatever stands before it. */
export interface Subject extends AsyncDisposable {
  /** Where it listens on 127.0.0.1. */
  port: number;
  /** The hostname that requests ask for. */
  host: string;
  /** Its processes are these and all their descendants. */
  pids: readonly number[];
}

/** Answers "Hello, world" to everything. */
export const HELLO_APP = new URL("./hello_app.ts", import.meta.url);

/** Answers GET with a stream of 1 MiB, and POST with how many bytes it has read of the request's stream. */
export const BODIES_APP = new URL("./bodies_app.ts", import.meta.url);
