/** A server under test: it answers with the same app, whatever stands before it. */
export interface Subject extends AsyncDisposable {
  /** Where it listens on 127.0.0.1. */
  port: number;
  /** Where it listens with TLS on 127.0.0.1, if it does: HTTP/1.1 and HTTP/2. */
  tlsPort?: number;
  /** The hostname that requests ask for. */
  host: string;
  /** "Name: value" that each request has besides Host. @default {none} */
  headers?: readonly string[];
  /** Its processes are these and all their descendants. */
  pids: readonly number[];
}

/** Which protocol visitors speak: HTTP/1.1 without and with TLS, and HTTP/2 with TLS. */
export type Transport = "http" | "https" | "h2";

/** Answers "Hello, world" to everything. */
export const HELLO_APP = new URL("./hello_app.ts", import.meta.url);

/** Answers GET with a stream of 1 MiB, and POST with how many bytes it has read of the request's stream. */
export const BODIES_APP = new URL("./bodies_app.ts", import.meta.url);

/** Answers `/BYTES` with so many of them in four writes; `/BYTES/length` with `Content-Length` beforehand. */
export const STREAMED_APP = new URL("./streamed_app.ts", import.meta.url);
