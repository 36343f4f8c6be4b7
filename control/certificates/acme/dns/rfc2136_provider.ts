import type { Rfc2136Config } from "../../../config/tls_config.ts";
import { CLASS, concat, encodeName, encodeRecord, readUint16, TYPE, uint16 } from "./dns_message.ts";
import { type DnsAction, type DnsProvider, DnsProviderError } from "./dns_provider.ts";
import { signTsig, type TsigKey, type TsigVerdict, verifyTsig } from "./tsig.ts";

const TIMEOUT_MS = 10_000;
const TTL_S = 60;
const OPCODE_UPDATE = 5;
const DEFAULT_PORT = 53;
const NO_ERROR = 0;
/** RFC 1035 §4.1.1 and RFC 2136 §2.2. */
const RCODES: Record<number, string> = {
  1: "it cannot read the update (FORMERR)",
  2: "it failed (SERVFAIL)",
  4: "it takes no updates (NOTIMP)",
  5: "it refuses this key to do that (REFUSED)",
  9: "it does not serve this zone, or does not know the key (NOTAUTH)",
  10: "the name is not in the zone (NOTZONE)",
};
const VERDICTS: Record<Exclude<TsigVerdict, "verified">, string> = {
  missing: "its answer is not signed",
  wrong: "its answer is signed with another key",
  badSignature: "it has another secret for this key (BADSIG)",
  badKey: "it does not know this key (BADKEY)",
  badTime: "its clock differs from ours by more than five minutes (BADTIME)",
  refused: "it refuses the signature",
};

/** Dynamic updates (RFC 2136) over TCP, signed with TSIG (RFC 8945). */
export class Rfc2136Provider implements DnsProvider {
  readonly #config: Rfc2136Config;
  readonly #key: TsigKey;

  constructor(config: Rfc2136Config) {
    this.#config = config;
    this.#key = { name: config.keyName, secret: config.keySecret, algorithm: config.keyAlgorithm };
  }

  async present(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#update("present", name, value, signal);
  }

  async cleanup(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#update("cleanup", name, value, signal);
  }

  async #update(action: DnsAction, name: string, value: string, signal: AbortSignal): Promise<void> {
    const { server, zone } = this.#config;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let why: string | null;
    try {
      const id = crypto.getRandomValues(new Uint8Array(2));
      const { message, mac } = signTsig(
        encodeUpdate(id, zone, { action, name, value }),
        this.#key,
        Date.now(),
      );
      const answer = await exchange(server, message, AbortSignal.any([signal, timeout]));
      why = refusal(answer, verifyTsig(answer, this.#key, mac));
    } catch (cause) {
      signal.throwIfAborted();
      const failure = timeout.aborted ? `no answer within ${TIMEOUT_MS}ms` : (cause as Error).message;
      throw new DnsProviderError(action, name, `the name server "${server}": ${failure}`, { cause });
    }
    if (why !== null) throw new DnsProviderError(action, name, `the name server "${server}" says no: ${why}`);
  }
}

/** RFC 2136 §2: the zone, no prerequisites, one change. */
function encodeUpdate(
  id: Uint8Array,
  zone: string,
  { action, name, value }: { action: DnsAction; name: string; value: string },
): Uint8Array {
  const text = new TextEncoder().encode(value);
  const change = action === "present" ? { class: CLASS.IN, ttl: TTL_S } : { class: CLASS.NONE, ttl: 0 };
  return concat([
    id,
    uint16(OPCODE_UPDATE << 11),
    ...[1, 0, 1, 0].map(uint16),
    encodeName(zone),
    uint16(TYPE.SOA),
    uint16(CLASS.IN),
    encodeRecord({ name, type: TYPE.TXT, ...change, data: concat([Uint8Array.of(text.length), text]) }),
  ]);
}

function refusal(answer: Uint8Array, verdict: TsigVerdict): string | null {
  const rcode = readUint16(answer, 2) & 0xf;
  if (rcode === NO_ERROR) return verdict === "verified" ? null : VERDICTS[verdict];
  if (verdict === "verified" || verdict === "missing") return RCODES[rcode] ?? `RCODE ${rcode}`;
  return VERDICTS[verdict];
}

/** One message there and one back, each after its length (RFC 1035 §4.2.2). */
async function exchange(server: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const { hostname, port } = new URL(`dns://${server}`);
  // Literal IPv6 addresses are in brackets in a URL.
  const target = { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || DEFAULT_PORT) };
  using conn = await Deno.connect({ ...target, signal });
  const close = () => conn.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    const request = concat([uint16(message.length), message]);
    for (let sent = 0; sent < request.length;) sent += await conn.write(request.subarray(sent));
    const length = readUint16(await readExactly(conn, 2), 0);
    return await readExactly(conn, length);
  } finally {
    signal.removeEventListener("abort", close);
  }
}

async function readExactly(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const read = await conn.read(bytes.subarray(at));
    if (read === null) throw new Error("it closed the connection");
    at += read;
  }
  return bytes;
}
