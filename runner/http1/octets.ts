import { Buffer } from "node:buffer";

/** What an octet may be part of; combined by `|`. */
export const OCTET = {
  /** A token (RFC 9110 §5.6.2): methods and field names. */
  token: 1,
  /** A field value or a reason phrase (RFC 9110 §5.5). */
  value: 2,
  /** The path of a target, and its query: what clients send and `Deno.serve` takes, which is more than RFC 3986 has. */
  path: 4,
  query: 8,
} as const;

/** Octet → where it may stand. */
export const OCTETS: Readonly<Uint8Array> = classify();

function classify(): Uint8Array {
  const classes = new Uint8Array(256);
  const add = (pattern: RegExp, octet: number) => {
    for (let i = 0; i < 256; i++) if (pattern.test(String.fromCharCode(i))) classes[i]! |= octet;
  };
  add(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/, OCTET.token);
  add(/[\t\x20-\x7e\x80-\xff]/, OCTET.value);
  add(/[!->@-~\x80-\xff]/, OCTET.path);
  add(/[!-~\x80-\xff]/, OCTET.query);
  return classes;
}

/** `TextDecoder("latin1")` is windows-1252 (WHATWG Encoding §4.2), which maps 0x80–0x9F elsewhere. */
export function decodeLatin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

/** Characters to U+00FF, each one byte. */
export function encodeLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
