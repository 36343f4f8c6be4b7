import type { ByteBuffer } from "./byte_buffer.ts";
import { decodeLatin1 } from "./octets.ts";

/** The fields that are looked for, with their values. */
const FIELDS = {
  accept: /\r\naccept:[ \t]*(.*?)[ \t]*\r\n/i,
  traceparent: /\r\ntraceparent: (.*?)\r\n/,
  "user-agent": /\r\nuser-agent:[ \t]*(.*?)[ \t]*\r\n/i,
} as const;
/** Of a path, as whoever looks at requests gets it. */
const MAX_PATH_CHARACTERS = 2048;
const SPACE = 0x20;

const utf8 = new TextDecoder();

/** The value of a field in a head on its way to an isolate; `null` = there is none. */
export function fieldIn(head: ByteBuffer, name: keyof typeof FIELDS): string | null {
  const text = decodeLatin1(head.view, 0, head.length);
  const match = FIELDS[name].exec(text);
  if (match === null) return null;
  // The first bytes of the body may follow.
  const end = text.indexOf("\r\n\r\n");
  return end === -1 || match.index < end ? match[1]! : null;
}

/** The target of a head on its way to an isolate, in absolute form: the second word of its first line. */
export function targetIn(head: ByteBuffer): string {
  const [start, end] = target(head);
  return decodeLatin1(head.view, start, end);
}

/** The path of that target without its query, trimmed. */
export function pathIn(head: ByteBuffer): string {
  const [start, end] = target(head);
  const text = utf8.decode(head.view.subarray(start, end));
  const path = text.slice(text.indexOf("/", text.indexOf("//") + 2));
  const query = path.indexOf("?");
  return path.slice(0, query === -1 ? MAX_PATH_CHARACTERS : Math.min(query, MAX_PATH_CHARACTERS));
}

function target(head: ByteBuffer): [start: number, end: number] {
  const bytes = head.view;
  const start = bytes.indexOf(SPACE) + 1;
  return [start, bytes.indexOf(SPACE, start)];
}
