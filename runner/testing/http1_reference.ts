/** A second reading of HTTP/1.1 (RFC 9112), over Latin-1 text and by regular expressions, to hold the runner's against. */

/** A request as a visitor's connection carries it. */
export interface SentRequest {
  method: string;
  target: string;
  hostname: string;
  /** `null` = its end has not come, or never will. */
  body: string | null;
}

/** All that a connection carries, as far as it can be read. */
export interface SentRequests {
  requests: SentRequest[];
  /** How it goes on: not at all, with what cannot be read, or with what has not come yet. */
  end: "closes" | "malformed" | "waits";
}

/** A response as a visitor receives it. */
export interface ReceivedResponse {
  status: number;
  /** Lower-case name → value; those of the same name joined by a comma. */
  fields: Map<string, string>;
  body: string;
}

/**
 * Reads the requests of one connection. Wherever a stricter parser may stop, this one may go on.
 *
 * @param isRouted Whether a request for this hostname goes to an isolate. The body of another one is not read.
 */
export function readRequests(text: string, isRouted: (hostname: string) => boolean): SentRequests {
  const requests: SentRequest[] = [];
  for (let at = 0;;) {
    while (text.startsWith("\r\n", at)) at += 2;
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (headEnd === -1) return { requests, end: "waits" };
    const [line = "", ...lines] = text.slice(at, headEnd).split("\r\n");
    const parts = /^([^\s]+) (\/[^\s]*) HTTP\/1\.([01])$/.exec(line);
    const fields = readFields(lines);
    const hostname = fields?.get("host")?.replace(/\.?(:\d*)?$/, "").toLowerCase();
    if (parts === null || fields === null || hostname === undefined) return { requests, end: "malformed" };
    const [, method = "", target = "", minor] = parts;
    const body = readBody(text, headEnd + 4, fields);
    if (body === null) return { requests, end: "malformed" };
    const isBodiless = method === "GET" || method === "HEAD" || !isRouted(hostname);
    requests.push({ method, target, hostname, body: isBodiless ? "" : body.data });
    const options = (fields.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
    const closes = minor === "1" ? options.includes("close") : !options.includes("keep-alive");
    if (isBodiless && body.isFramed) return { requests, end: "closes" };
    if (!isBodiless && body.data === null) {
      return { requests, end: body.isMalformed ? "malformed" : "waits" };
    }
    if (closes) return { requests, end: "closes" };
    at = body.end;
  }
}

/** Reads the final responses to requests with these methods; the last one only if it is whole. */
export function readResponses(text: string, methods: readonly string[]): ReceivedResponse[] {
  const responses: ReceivedResponse[] = [];
  for (let at = 0; at < text.length;) {
    const headEnd = text.indexOf("\r\n\r\n", at);
    if (headEnd === -1) break;
    const [line = "", ...lines] = text.slice(at, headEnd).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    const fields = readFields(lines);
    if (fields === null || !(status >= 100)) throw new Error(`Cannot read response "${line}"`);
    at = headEnd + 4;
    if (status < 200) continue;
    const isBodiless = methods[responses.length] === "HEAD" || status === 204 || status === 304;
    const body = isBodiless ? { data: "", end: at } : readBody(text, at, fields);
    if (body === null || body.data === null) break;
    responses.push({ status, fields, body: body.data });
    at = body.end;
  }
  return responses;
}

interface Body {
  /** `null` = it does not end here. */
  data: string | null;
  end: number;
  /** It may have bytes. */
  isFramed: boolean;
  isMalformed: boolean;
}

/** `null` = two fields, or what is in one, contradict each other. */
function readFields(lines: readonly string[]): Map<string, string> | null {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([^:\s]+):[\t ]*([^\r\n]*?)[\t ]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return null;
    const others = fields.get(name.toLowerCase());
    fields.set(name.toLowerCase(), others === undefined ? value : `${others}, ${value}`);
  }
  return fields;
}

/** `null` = nobody knows where it ends. */
function readBody(text: string, start: number, fields: ReadonlyMap<string, string>): Body | null {
  const coding = fields.get("transfer-encoding");
  const length = fields.get("content-length");
  if (coding !== undefined) {
    if (length !== undefined || coding.toLowerCase() !== "chunked") return null;
    return readChunks(text, start);
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return null;
  const end = start + Number(length ?? 0);
  const data = end <= text.length ? text.slice(start, end) : null;
  return { data, end, isFramed: end > start, isMalformed: false };
}

function readChunks(text: string, start: number): Body {
  const sizeLine = /([0-9a-f]{1,13})(?:[\t ]*;[^\r\n]*)?\r\n/iy;
  let data = "";
  for (let at = start;;) {
    sizeLine.lastIndex = at;
    const match = sizeLine.exec(text);
    const unfinished = { data: null, end: text.length, isFramed: true };
    if (match === null) return { ...unfinished, isMalformed: text.indexOf("\n", at) !== -1 };
    at = sizeLine.lastIndex;
    const size = parseInt(match[1]!, 16);
    if (size === 0) return { ...readTrailers(text, at, data), isFramed: true };
    data += text.slice(at, at + size);
    at += size;
    if (text.length < at + 2) return { ...unfinished, isMalformed: false };
    if (!text.startsWith("\r\n", at)) return { ...unfinished, isMalformed: text.indexOf("\n", at) !== -1 };
    at += 2;
  }
}

function readTrailers(text: string, start: number, data: string): Omit<Body, "isFramed"> {
  if (text.startsWith("\r\n", start)) return { data, end: start + 2, isMalformed: false };
  const end = text.indexOf("\r\n\r\n", start);
  if (end === -1) return { data: null, end: text.length, isMalformed: false };
  const isMalformed = readFields(text.slice(start, end).split("\r\n")) === null;
  return { data: isMalformed ? null : data, end: end + 4, isMalformed };
}
