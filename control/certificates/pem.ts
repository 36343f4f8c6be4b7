import { CertificateError } from "./certificate_error.ts";

/** One block of a PEM text (RFC 7468). */
export interface PemBlock {
  /** What stands after BEGIN, such as `CERTIFICATE`. */
  label: string;
  /** Base64, in lines; before it may be headers, if the content is encrypted (RFC 1421). */
  body: string;
}

/** Ten certificates of the largest kind take half of it. */
const MAX_PEM_LENGTH = 64 * 1024;
const MAX_PEM_BLOCKS = 32;
const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----$/;

/**
 * The blocks of a PEM text; what stands between them is ignored, as everybody does.
 *
 * @param what What the text should hold, for messages.
 * @throws {CertificateError} when the text is too long, or a block does not end
 */
export function readPem(text: string, what: string): PemBlock[] {
  if (text.length > MAX_PEM_LENGTH) {
    throw new CertificateError(`${what} has ${text.length} characters; ${MAX_PEM_LENGTH} are allowed`);
  }
  const blocks: PemBlock[] = [];
  let open: { label: string; lines: string[] } | undefined;
  for (const line of text.split(/\r\n?|\n/)) {
    const [, edge, label] = BOUNDARY.exec(line.trim()) ?? [];
    if (edge === undefined || label === undefined) open?.lines.push(line.trim());
    else if (edge === "BEGIN" && !open) open = { label, lines: [] };
    else if (edge === "END" && open?.label === label) {
      blocks.push({ label, body: open.lines.join("\n") });
      open = undefined;
    } else throw new CertificateError(`${what} has ${edge} ${label} where ${expected(open)}`);
  }
  if (open) throw new CertificateError(`${what} is cut off: ${expected(open)}`);
  if (blocks.length > MAX_PEM_BLOCKS) {
    throw new CertificateError(`${what} has ${blocks.length} PEM blocks; ${MAX_PEM_BLOCKS} are allowed`);
  }
  return blocks;
}

/**
 * The content of a block.
 *
 * @throws {CertificateError} when it is not base64
 */
export function decodeBlock({ label, body }: PemBlock): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(body);
  } catch (cause) {
    throw new CertificateError(`the block ${label} is not base64`, { cause });
  }
}

/** A PEM text of one block. */
export function writePem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

function expected(open: { label: string } | undefined): string {
  return open ? `END ${open.label} should be` : "a block should begin";
}
