/** What a program's runtime asks of the egress proxy: connections, and the records of names. */
import { readLines } from "../protocol.ts";
import {
  ACCEPTED,
  addressBytes,
  decodeAddress,
  encodeRequest,
  formatTarget,
  GREETING,
  Reply,
  REPLY_START_BYTES,
  type Target,
} from "./socks5.ts";

/** A connection through the proxy. */
export interface Tunnel {
  conn: Deno.TcpConn;
  /** The address that the proxy dialed. */
  remote: Target;
}

/** What the proxy says about a name that it has no records of. */
export type DnsErrorCode = "ENOTFOUND" | "EREFUSED" | "ETIMEOUT" | "EBADQUERY";

const MAX_ANSWER_BYTES = 256 * 1024;
const READ_BYTES = 16 * 1024;

// A program may replace it.
const { connect } = Deno;
const encoder = new TextEncoder();

/** There is no such name. */
export class NameNotFoundError extends Error {
  readonly hostname: string;

  constructor(hostname: string) {
    super("failed to lookup address information: Name or service not known");
    this.hostname = hostname;
  }
}

/** There are no records. */
export class DnsError extends Error {
  override name = "DnsError";
  readonly code: DnsErrorCode;

  constructor(code: DnsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** As the runtime itself fails where a permission is missing. */
export function netAccessError(target: string, options?: ErrorOptions): Error {
  return new Deno.errors.NotCapable(
    `Requires net access to "${target}", which this deployment does not have`,
    options,
  );
}

/**
 * Connects to a target through the proxy.
 *
 * @throws {Deno.errors.NotCapable} by policy
 * @throws {NameNotFoundError}
 * @throws {Error} with the class, text and `code` that the runtime's own has, or the signal's reason
 */
export function openTunnel(proxy: Target, target: Target, signal?: AbortSignal): Promise<Tunnel> {
  return withProxy(proxy, signal, async (conn) => {
    conn.setNoDelay();
    await writeAll(conn, GREETING);
    const method = await readExactly(conn, ACCEPTED.length);
    if (method.some((byte, i) => byte !== ACCEPTED[i])) throw abortedError(target);
    await writeAll(conn, encodeTarget(target));
    const reply = await readExactly(conn, REPLY_START_BYTES);
    if (reply[1] !== Reply.succeeded) throw replyError(reply[1]!, target);
    return { conn, remote: decodeAddress(await readExactly(conn, addressBytes(reply))) };
  });
}

/**
 * Records of a name, as `Deno.resolveDns` returns them for the type.
 *
 * @throws {DnsError}
 */
export function resolveName(
  proxy: Target,
  name: string,
  type: string,
  signal?: AbortSignal,
): Promise<unknown[]> {
  return withProxy(proxy, signal, async (conn) => {
    await writeAll(conn, encoder.encode(JSON.stringify({ resolve: { name, type } }) + "\n"));
    for await (const line of readLines(chunksOf(conn), MAX_ANSWER_BYTES)) {
      conn.close();
      const { records, error } = JSON.parse(line);
      if (error !== undefined) throw new DnsError(error.code, error.message);
      return records;
    }
    throw new DnsError("ETIMEOUT", `Cannot resolve "${name}": the connection ended`);
  });
}

/** Gives up the connection when it fails or is aborted. */
async function withProxy<T>(
  proxy: Target,
  signal: AbortSignal | undefined,
  talk: (conn: Deno.TcpConn) => Promise<T>,
): Promise<T> {
  const conn = await connect({ ...proxy, signal });
  const abort = () => conn[Symbol.dispose]();
  signal?.addEventListener("abort", abort);
  try {
    return await talk(conn);
  } catch (error) {
    conn[Symbol.dispose]();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function encodeTarget(target: Target): Uint8Array {
  try {
    return encodeRequest(target);
  } catch {
    throw new NameNotFoundError(target.hostname);
  }
}

function replyError(reply: number, target: Target): Error {
  switch (reply) {
    case Reply.notAllowed:
      return netAccessError(formatTarget(target));
    case Reply.hostUnreachable:
      return new NameNotFoundError(target.hostname);
    case Reply.networkUnreachable:
      return withCode(
        new Deno.errors.NetworkUnreachable("Network is unreachable (os error 101)"),
        "ENETUNREACH",
      );
    case Reply.refused:
      return withCode(new Deno.errors.ConnectionRefused("Connection refused (os error 111)"), "ECONNREFUSED");
    case Reply.ttlExpired:
      return withCode(new Deno.errors.TimedOut("Connection timed out (os error 110)"), "ETIMEDOUT");
    default:
      return abortedError(target);
  }
}

function abortedError(target: Target): Error {
  const text = `Cannot connect to "${formatTarget(target)}": connection aborted`;
  return withCode(new Deno.errors.ConnectionAborted(text), "ECONNABORTED");
}

function withCode(error: Error, code: string): Error {
  return Object.assign(error, { code });
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array) {
  for (let start = 0; start < bytes.length;) start += await conn.write(bytes.subarray(start));
}

/** And not one byte more: what follows is the target's. */
async function readExactly(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let end = 0; end < length;) {
    const read = await conn.read(bytes.subarray(end));
    if (read === null) {
      throw withCode(
        new Deno.errors.ConnectionReset("Connection reset by peer (os error 104)"),
        "ECONNRESET",
      );
    }
    end += read;
  }
  return bytes;
}

async function* chunksOf(conn: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(READ_BYTES);
  for (let read = await conn.read(buffer); read !== null; read = await conn.read(buffer)) {
    yield buffer.slice(0, read);
  }
}
