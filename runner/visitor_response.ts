import { STATUS_CODES } from "node:http";
import type { ByteBuffer } from "./byte_buffer.ts";
import type { ErrorPage } from "./error_page.ts";
import type { Framing, ResponseHead } from "./response_head.ts";

/** To whom a response goes. */
export interface VisitorResponseOptions {
  method: string;
  /** The visitor speaks HTTP/1.0. */
  isOld: boolean;
  /** The connection goes on after this response. */
  keepAlive: boolean;
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
  out.text(connectionField(options));
  out.text("\r\n");
  return framing;
}

/** Writes a whole response of our own. */
export function writeErrorPage(page: ErrorPage, options: VisitorResponseOptions, out: ByteBuffer): void {
  out.text(`HTTP/1.1 ${page.status} ${STATUS_CODES[page.status]}\r\n`);
  for (const [name, value] of Object.entries(page.fields)) out.text(`${name}: ${value}\r\n`);
  out.text(dateField());
  out.text(connectionField(options));
  out.text("\r\n");
  if (options.method !== "HEAD") out.text(page.body);
}
