import { STATUS_CODES } from "node:http";
import type { ByteBuffer } from "./byte_buffer.ts";
import type { Framing, ResponseHead } from "./response_head.ts";

/** To whom a response goes. */
export interface VisitorResponseOptions {
  method: string;
  /** The visitor speaks HTTP/1.0. */
  isOld: boolean;
  /** The connection goes on after this response. */
  keepAlive: boolean;
  /** The visitor is told to use TLS from now on, unless the app says what it has to do. */
  strictTransport: boolean;
}

/** RFC 6797: for a year. Whether other names below this one, or all browsers, should know it is not ours to say. */
const STRICT_TRANSPORT = "strict-transport-security: max-age=31536000\r\n";

/** A response that no isolate gives, in ASCII. */
export interface OwnResponse {
  status: number;
  fields: Record<string, string>;
  body: string;
}

/** The line `date: …` (RFC 9110 §6.6.1), made once a second. */
let dateLine = "";
let dateLineMadeAt = 0;

/** A `date` field for a response that has none. */
function dateField(): string {
  const now = Date.now();
  if (now - dateLineMadeAt >= 1000) {
    dateLineMadeAt = now - now % 1000;
    dateLine = `date: ${new Date(now).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** How a visitor is told where a response's body ends. An HTTP/1.0 one knows no chunks. */
export function visitorFraming({ framing }: ResponseHead, isOld: boolean): Framing {
  const isUnbounded = framing === "chunked" || framing === "close";
  return isUnbounded ? isOld ? "close" : "chunked" : framing;
}

/** What a visitor is told of the connection. */
function connectionField({ keepAlive, isOld }: VisitorResponseOptions): string {
  if (!keepAlive) return "connection: close\r\n";
  return isOld ? "connection: keep-alive\r\n" : "";
}

/**
 * Writes the head that the visitor gets for an isolate's: status, reason and end-to-end fields as they came, the framing of
 * the visitor's own connection.
 *
 * @param input Where `head` lies.
 * @returns The framing of the body that follows.
 */
export function writeResponseHead(
  head: ResponseHead,
  input: Uint8Array,
  options: VisitorResponseOptions,
  out: ByteBuffer,
): Framing {
  const { status } = head;
  out.copy(input, head.start, head.fieldsStart);
  out.copyPieces(input, head.pieces);
  if (!head.saysDate) out.text(dateField());
  const framing = visitorFraming(head, options.isOld);
  if (framing === "chunked") out.text("transfer-encoding: chunked\r\n");
  // A 205 without a framing would have a body to the end of the connection (RFC 9112 §6.3).
  if (status === 205 && options.method !== "HEAD") out.text("content-length: 0\r\n");
  if (options.strictTransport && !head.saysStrictTransport) out.text(STRICT_TRANSPORT);
  out.text(connectionField(options));
  out.text("\r\n");
  return framing;
}

/** Writes a whole response of our own. */
export function writeOwnResponse(page: OwnResponse, options: VisitorResponseOptions, out: ByteBuffer): void {
  out.text(`HTTP/1.1 ${page.status} ${STATUS_CODES[page.status]}\r\n`);
  for (const [name, value] of Object.entries(page.fields)) out.text(`${name}: ${value}\r\n`);
  out.text(dateField());
  if (options.strictTransport) out.text(STRICT_TRANSPORT);
  out.text(connectionField(options));
  out.text("\r\n");
  if (options.method !== "HEAD") out.text(page.body);
}
