import { decodeLatin1, encodeLatin1, OCTET, OCTETS } from "../http1/octets.ts";

/** What a field is to the request that has it. */
export const ROLE = {
  /** Passed on as it is. */
  regular: 0,
  /** Makes the whole request malformed (RFC 9113 §8.1.1). */
  malformed: 1,
  method: 2,
  scheme: 3,
  authority: 4,
  path: 5,
  host: 6,
  cookie: 7,
  contentLength: 8,
  te: 9,
} as const;

/** One of {@linkcode ROLE}. */
export type Role = (typeof ROLE)[keyof typeof ROLE];

/** A field of a header section as the line that HTTP/1.1 has for it. Never changed, since many requests may share it. */
export interface HeaderField {
  /** `name: value CRLF`. */
  readonly line: Uint8Array;
  /** In bytes. */
  readonly nameLength: number;
  /** By its name alone. */
  readonly nameRole: Role;
  readonly role: Role;
}

/** `: ` before a value, CRLF after it. */
export const SEPARATOR_BYTES = 2;
/** What a field costs besides its octets (RFC 7541 §4.1, RFC 9113 §6.5.2). */
const OVERHEAD_BYTES = 32;
const DIGITS = /^[0-9]{1,15}$/;

const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const SLASH = 0x2f;
const QUESTION = 0x3f;
const STAR = 0x2a;
const CR = 0x0d;
const LF = 0x0a;

const ROLES: ReadonlyMap<string, Role> = new Map<string, Role>([
  [":method", ROLE.method],
  [":scheme", ROLE.scheme],
  [":authority", ROLE.authority],
  [":path", ROLE.path],
  ["host", ROLE.host],
  ["cookie", ROLE.cookie],
  ["content-length", ROLE.contentLength],
  ["te", ROLE.te],
  // Of one connection, which HTTP/2 tells in its own way (RFC 9113 §8.2.2).
  ["connection", ROLE.malformed],
  ["keep-alive", ROLE.malformed],
  ["proxy-connection", ROLE.malformed],
  ["transfer-encoding", ROLE.malformed],
  ["upgrade", ROLE.malformed],
]);

/** Makes a field of the octets in two arrays, which it copies, and judges it. */
export function headerField(name: Uint8Array, value: Uint8Array): HeaderField {
  const line = new Uint8Array(name.length + value.length + 2 * SEPARATOR_BYTES);
  line.set(name);
  line[name.length] = COLON;
  line[name.length + 1] = SPACE;
  return finished(line, name.length, value, nameRoleOf(name));
}

/** Makes a field with the name of another one. */
export function namedLike(
  { line: other, nameLength, nameRole }: HeaderField,
  value: Uint8Array,
): HeaderField {
  const line = new Uint8Array(nameLength + value.length + 2 * SEPARATOR_BYTES);
  for (let i = nameLength + SEPARATOR_BYTES - 1; i >= 0; i--) line[i] = other[i]!;
  return finished(line, nameLength, value, nameRole);
}

function finished(line: Uint8Array, nameLength: number, value: Uint8Array, nameRole: Role): HeaderField {
  line.set(value, nameLength + SEPARATOR_BYTES);
  line[line.length - 2] = CR;
  line[line.length - 1] = LF;
  const role = isValue(value) && isProper(nameRole, value) ? nameRole : ROLE.malformed;
  return { line, nameLength, nameRole, role: role === ROLE.te ? ROLE.regular : role };
}

/** Of a field, as tables and limits count it: in bytes. */
export function sizeOf({ line }: HeaderField): number {
  return line.length - 2 * SEPARATOR_BYTES + OVERHEAD_BYTES;
}

/** The name's octets. */
export function nameOf({ line, nameLength }: HeaderField): Uint8Array {
  return line.subarray(0, nameLength);
}

/** The value's octets. */
export function valueOf({ line, nameLength }: HeaderField): Uint8Array {
  return line.subarray(nameLength + SEPARATOR_BYTES, line.length - SEPARATOR_BYTES);
}

/** The fields that both ends know from the start (RFC 7541 appendix A). The first has the index 1. */
export const STATIC_FIELDS: readonly HeaderField[] = [
  ":authority",
  ":method: GET",
  ":method: POST",
  ":path: /",
  ":path: /index.html",
  ":scheme: http",
  ":scheme: https",
  ":status: 200",
  ":status: 204",
  ":status: 206",
  ":status: 304",
  ":status: 400",
  ":status: 404",
  ":status: 500",
  "accept-charset",
  "accept-encoding: gzip, deflate",
  ..."accept-language accept-ranges accept access-control-allow-origin age allow authorization".split(" "),
  ..."cache-control content-disposition content-encoding content-language content-length".split(" "),
  ..."content-location content-range content-type cookie date etag expect expires from host".split(" "),
  ..."if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link".split(" "),
  ..."location max-forwards proxy-authenticate proxy-authorization range referer refresh".split(" "),
  ..."retry-after server set-cookie strict-transport-security transfer-encoding user-agent".split(" "),
  ..."vary via www-authenticate".split(" "),
].map((field) => {
  const [name, value = ""] = field.split(": ");
  return headerField(encodeLatin1(name!), encodeLatin1(value));
});

/** RFC 9113 §8.2.1, RFC 9110 §5.5. */
function isValue(value: Uint8Array): boolean {
  for (let i = 0; i < value.length; i++) if ((OCTETS[value[i]!]! & OCTET.value) === 0) return false;
  return value.length === 0 || !isBlank(value[0]!) && !isBlank(value[value.length - 1]!);
}

function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB;
}

function nameRoleOf(name: Uint8Array): Role {
  return ROLES.get(decodeLatin1(name, 0, name.length)) ?? (isName(name) ? ROLE.regular : ROLE.malformed);
}

/** A token without an upper-case letter (RFC 9113 §8.2.1). Of a pseudo-header, the colon is no part of a token. */
function isName(name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const octet = name[i]!;
    if ((OCTETS[octet]! & OCTET.token) === 0 || octet >= 0x41 && octet <= 0x5a) return false;
  }
  return name.length > 0;
}

/** What goes into a request line is in no other place than it says: the rest is for who reads that line. */
function isProper(role: Role, value: Uint8Array): boolean {
  switch (role) {
    case ROLE.method:
      return value.length > 0 && consistsOf(value, OCTET.token);
    case ROLE.scheme:
      return /^https?$/.test(decodeLatin1(value, 0, value.length));
    case ROLE.authority:
      return consistsOf(value, OCTET.query) && !value.includes(SLASH) && !value.includes(QUESTION);
    case ROLE.path:
      return consistsOf(value, OCTET.query) &&
        (value[0] === SLASH || value.length === 1 && value[0] === STAR);
    case ROLE.te:
      return decodeLatin1(value, 0, value.length).toLowerCase() === "trailers";
    case ROLE.contentLength:
      return DIGITS.test(decodeLatin1(value, 0, value.length));
    default:
      return true;
  }
}

function consistsOf(value: Uint8Array, octet: number): boolean {
  for (let i = 0; i < value.length; i++) if ((OCTETS[value[i]!]! & octet) === 0) return false;
  return true;
}
