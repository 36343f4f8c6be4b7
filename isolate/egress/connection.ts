import type { EgressUsage } from "./contract.ts";
import {
  DNS_REQUEST_START,
  type DnsRequest,
  encodeDnsAnswer,
  MAX_DNS_REQUEST_BYTES,
  parseDnsRequest,
} from "./dns_request.ts";
import type { Gateway } from "./gateway.ts";
import { canonicalHost } from "./host.ts";
import type { EgressLimits } from "./limits.ts";
import { ProtocolError } from "./protocol_error.ts";
import {
  encodeMethod,
  encodeReply,
  type Parsed,
  parseGreeting,
  parseRequest,
  type Refusal,
  Reply,
  type SocksRequest,
} from "./socks5.ts";
import { Tunnel } from "./tunnel.ts";
import type { Turns } from "./turns.ts";

/** Holds every message of a handshake whole; what follows it is the first of what the tunnel carries. */
const HANDSHAKE_BYTES = 2 * MAX_DNS_REQUEST_BYTES;

/** The client is gone, or `close` was called. */
const LOST = [
  Deno.errors.BrokenPipe,
  Deno.errors.ConnectionReset,
  Deno.errors.NotConnected,
  Deno.errors.BadResource,
  Deno.errors.Interrupted,
];

/** What a connection runs by. */
export interface ConnectionOptions {
  gateway: Gateway;
  usage: EgressUsage;
  limits: EgressLimits;
  turns: Turns;
}

/** One connection of a sandbox, from its first byte to its end. */
export class Connection {
  readonly #client: Deno.Conn;
  readonly #options: ConnectionOptions;
  readonly #input = new Uint8Array(HANDSHAKE_BYTES);
  #start = 0;
  #end = 0;
  readonly #setup = new AbortController();
  #tunnel: Tunnel | null = null;

  constructor(client: Deno.Conn, options: ConnectionOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * Serves it to its end.
   *
   * @param tooMany It is past a bound and gets a failure, whatever it asks for.
   */
  async run(tooMany: boolean): Promise<void> {
    const { handshakeTimeoutMs, refusalTimeoutMs } = this.#options.limits;
    const late = setTimeout(
      () => this.#client[Symbol.dispose](),
      tooMany ? refusalTimeoutMs : handshakeTimeoutMs,
    );
    try {
      const request = await this.#receive(parseFirstByte) === DNS_REQUEST_START
        ? await this.#receive(parseDnsRequest)
        : await this.#receiveSocks();
      clearTimeout(late);
      if ("type" in request) await this.#answer(request, tooMany);
      else await this.#connect(request, tooMany);
    } catch (error) {
      if (!(error instanceof ProtocolError) && !LOST.some((lost) => error instanceof lost)) throw error;
    } finally {
      clearTimeout(late);
      this.close();
    }
  }

  /** Ends it, whatever it is at. */
  close(): void {
    this.#setup.abort();
    this.#client[Symbol.dispose]();
    this.#tunnel?.close();
  }

  async #receiveSocks(): Promise<SocksRequest> {
    const noAuthentication = await this.#receive(parseGreeting);
    await this.#send(encodeMethod(noAuthentication));
    if (!noAuthentication) throw new ProtocolError("no method in common");
    return await this.#receive(parseRequest);
  }

  async #answer(request: DnsRequest, tooMany: boolean): Promise<void> {
    const { gateway, usage, limits } = this.#options;
    if (tooMany) {
      const error = { code: "EREFUSED", message: "Too many connections" } as const;
      return await this.#send(encodeDnsAnswer({ error }));
    }
    const answer = await this.#within(limits.dnsTimeoutMs, (signal) => gateway.answer(request, signal));
    if ("error" in answer && answer.error.code === "EREFUSED") usage.refused++;
    await this.#send(encodeDnsAnswer(answer));
  }

  async #connect({ connect, host, port }: SocksRequest, tooMany: boolean): Promise<void> {
    const { gateway, usage, limits } = this.#options;
    if (!connect) return await this.#refuse(Reply.commandNotSupported);
    if (tooMany) return await this.#refuse(Reply.failure);
    const canonical = canonicalHost(host);
    if (canonical === null) return await this.#refuse(Reply.hostUnreachable);
    const upstream = await this.#within(
      limits.setupTimeoutMs,
      (signal) => gateway.connect({ host: canonical, port }, signal),
    );
    if (typeof upstream !== "number") return await this.#open(upstream);
    if (upstream === Reply.notAllowed) usage.refused++;
    await this.#refuse(upstream);
  }

  async #open(upstream: Deno.TcpConn): Promise<void> {
    const { usage } = this.#options;
    usage.connections++;
    this.#tunnel = new Tunnel(this.#client, upstream, this.#options);
    upstream.setNoDelay();
    // So that a peer which vanished is noticed by the kernel, not only by `idleTimeoutMs`.
    upstream.setKeepAlive();
    await this.#send(encodeReply(Reply.succeeded, upstream.remoteAddr));
    await this.#tunnel.run(this.#input.subarray(this.#start, this.#end));
  }

  async #refuse(reply: Refusal): Promise<void> {
    await this.#send(encodeReply(reply));
  }

  async #within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timeout = setTimeout(
      () => this.#setup.abort(new DOMException("Too late", "TimeoutError")),
      timeoutMs,
    );
    try {
      return await work(this.#setup.signal);
    } finally {
      clearTimeout(timeout);
    }
  }

  async #receive<T>(parse: (input: Uint8Array) => Parsed<T> | null): Promise<T> {
    for (;;) {
      const parsed = parse(this.#input.subarray(this.#start, this.#end));
      if (parsed !== null) {
        this.#start += parsed.bytes;
        return parsed.value;
      }
      const length = await this.#client.read(this.#input.subarray(this.#end));
      if (length === null) throw new ProtocolError("ended early");
      this.#end += length;
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#client.write(bytes.subarray(at));
  }
}

/** Looks at the first byte and leaves it there. */
function parseFirstByte(input: Uint8Array): Parsed<number> | null {
  return input.length === 0 ? null : { value: input[0]!, bytes: 0 };
}
