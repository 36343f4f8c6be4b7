/** A visitor in raw bytes: what no HTTP client would send, and what every client would hide. */
import { RawVisitor } from "../runner/testing/raw_visitor.ts";

/** A response as it was on the wire. */
export interface RawResponse {
  /** 0 = the connection ended without a response. */
  status: number;
  /** In order, names in lower case. */
  fields: [name: string, value: string][];
  /** Without its transfer coding; one Latin-1 character a byte. */
  body: string;
  /** What followed the body on the connection. */
  rest: string;
}

/** Sends Latin-1 text as it is, which should ask for `connection: close`, and reads to the end of the connection. */
export async function rawRequest(port: number, request: string): Promise<RawResponse> {
  using visitor = await RawVisitor.send(port, request);
  return parseResponse(await visitor.receiveAll());
}

/** Every value of a field. */
export function fieldValues({ fields }: RawResponse, name: string): string[] {
  return fields.filter(([field]) => field === name).map(([, value]) => value);
}

/** Latin-1 characters as the bytes that they are. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Reads one response off the front of what a connection sent. */
export function parseResponse(received: string): RawResponse {
  const end = received.indexOf("\r\n\r\n");
  if (end === -1) return { status: 0, fields: [], body: "", rest: received };
  const [statusLine = "", ...lines] = received.slice(0, end).split("\r\n");
  const response: RawResponse = {
    status: Number(statusLine.split(" ")[1]),
    fields: lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
    body: "",
    rest: received.slice(end + 4),
  };
  if (fieldValues(response, "transfer-encoding").includes("chunked")) readChunks(response);
  else readLength(response, Number(fieldValues(response, "content-length")[0] ?? Infinity));
  return response;
}

function readLength(response: RawResponse, length: number): void {
  response.body = response.rest.slice(0, length);
  response.rest = response.rest.slice(length);
}

function readChunks(response: RawResponse): void {
  for (;;) {
    const lineEnd = response.rest.indexOf("\r\n");
    if (lineEnd === -1) return; // Cut off: the rest stays what it is.
    const size = parseInt(response.rest.slice(0, lineEnd), 16);
    response.body += response.rest.slice(lineEnd + 2, lineEnd + 2 + size);
    response.rest = response.rest.slice(lineEnd + 2 + size + 2);
    if (size === 0) return;
  }
}
