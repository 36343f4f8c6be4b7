/** A server under test: it answers "Hello, world" to GET / from the same `hello_app.ts`, whatever stands before it. */
export interface Subject extends AsyncDisposable {
  name: string;
  /** Where it listens on 127.0.0.1. */
  port: number;
  /** The hostname that requests ask for. */
  host: string;
  /** Its processes are these and all their descendants. */
  pids: readonly number[];
}
