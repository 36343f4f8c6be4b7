import type { ByteBuffer } from "../http1/byte_buffer.ts";
import { decodeLatin1, encodeLatin1 } from "../http1/octets.ts";
import { type HeaderField, ROLE, SEPARATOR_BYTES, sizeOf, valueOf } from "./header_field.ts";
import { ERROR, Http2Error } from "./protocol.ts";

/** A header list that is so many times too large is not even read to its end. */
const MAX_EXCESS = 2;
/** The scheme of an absolute form says nothing: the connection's counts. */
const ORIGIN = "http://";
const HEAD_LINE = encodeLatin1(":method: HEAD\r\n");

/** What the fields of one request or its trailers say, and the HTTP/1.1 head that says the same. Used again and again. */
export class RequestFields {
  readonly #maxBytes: number;
  readonly #regular: HeaderField[] = [];
  readonly #cookies: HeaderField[] = [];
  #method: HeaderField | null = null;
  #scheme: HeaderField | null = null;
  #authority: HeaderField | null = null;
  #path: HeaderField | null = null;
  #host: HeaderField | null = null;
  #bytes = 0;
  #isTrailer = false;
  #malformed = false;
  /** Of the body, in bytes; -1 = not told. */
  contentLength = -1;

  /** @param maxBytes Of the whole list, by RFC 9113 §6.5.2. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Forgets the last list. */
  begin(isTrailer: boolean): void {
    this.#regular.length = this.#cookies.length = 0;
    this.#method =
      this.#scheme =
      this.#authority =
      this.#path =
      this.#host =
        null;
    this.#bytes = 0;
    this.#isTrailer = isTrailer;
    this.#malformed = false;
    this.contentLength = -1;
  }

  /**
   * Takes one field.
   *
   * @throws {Http2Error} `ERROR.enhanceYourCalm`: the connection has to end.
   */
  add(field: HeaderField): void {
    this.#bytes += sizeOf(field);
    if (this.#bytes > this.#maxBytes) {
      if (this.#bytes <= this.#maxBytes * MAX_EXCESS) return;
      throw new Http2Error(ERROR.enhanceYourCalm, `header list of more than ${this.#bytes} bytes`);
    }
    switch (field.role) {
      case ROLE.regular:
        this.#regular.push(field);
        return;
      case ROLE.malformed:
        this.#malformed = true;
        return;
      case ROLE.method:
        this.#method = this.#pseudo(this.#method, field);
        return;
      case ROLE.scheme:
        this.#scheme = this.#pseudo(this.#scheme, field);
        return;
      case ROLE.authority:
        this.#authority = this.#pseudo(this.#authority, field);
        return;
      case ROLE.path:
        this.#path = this.#pseudo(this.#path, field);
        return;
      case ROLE.host:
        this.#host = field;
        this.#regular.push(field);
        return;
      case ROLE.cookie:
        this.#cookies.push(field);
        return;
      case ROLE.contentLength:
        if (this.contentLength !== -1) this.#malformed = true;
        this.contentLength = Number(textOf(field));
        this.#regular.push(field);
    }
  }

  /** The list is larger than it may be, so that the rest of it is not known. */
  get tooLarge(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  /** RFC 9113 §8.1.1, §8.3.1. CONNECT has neither scheme nor path, and nothing here connects. */
  get malformed(): boolean {
    if (this.#malformed || this.#isTrailer) return this.#malformed;
    return this.#method === null || this.#scheme === null || this.#path === null;
  }

  /** The response has no body. Not to be asked of what is malformed. */
  get isHead(): boolean {
    const { line } = this.#method!;
    return line.length === HEAD_LINE.length && line.every((octet, i) => octet === HEAD_LINE[i]);
  }

  /**
   * Writes the head of the request, which is not malformed.
   *
   * @param isChunked Its body has a framing of its own.
   */
  writeHead(isChunked: boolean, out: ByteBuffer): void {
    const authority = this.#authority;
    copyValue(this.#method!, out);
    out.text(" ");
    // Whether the two agree is for whoever reads the head to say.
    if (authority !== null && this.#host !== null && textOf(authority) !== textOf(this.#host)) {
      out.text(ORIGIN);
      copyValue(authority, out);
    }
    copyValue(this.#path!, out);
    out.text(" HTTP/1.1\r\n");
    if (authority !== null && this.#host === null) {
      out.text("host: ");
      copyValue(authority, out);
      out.text("\r\n");
    }
    for (const { line } of this.#regular) out.copy(line);
    this.#writeCookies(out);
    out.text(isChunked ? "transfer-encoding: chunked\r\n\r\n" : "\r\n");
  }

  /** Pseudo-header fields come first, each once, and only in a header section (RFC 9113 §8.3). */
  #pseudo(before: HeaderField | null, field: HeaderField): HeaderField {
    const isLate = this.#regular.length > 0 || this.#cookies.length > 0;
    if (before !== null || isLate || this.#isTrailer) this.#malformed = true;
    return field;
  }

  /** As one field, whatever they were split into (RFC 9113 §8.2.3). */
  #writeCookies(out: ByteBuffer): void {
    if (this.#cookies.length === 0) return;
    this.#cookies.forEach((cookie, i) => {
      out.text(i === 0 ? "cookie: " : "; ");
      copyValue(cookie, out);
    });
    out.text("\r\n");
  }
}

function textOf(field: HeaderField): string {
  const value = valueOf(field);
  return decodeLatin1(value, 0, value.length);
}

function copyValue({ line, nameLength }: HeaderField, out: ByteBuffer): void {
  out.copy(line, nameLength + SEPARATOR_BYTES, line.length - SEPARATOR_BYTES);
}
