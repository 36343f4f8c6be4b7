/** In all, for one question. */
const LOOKUP_TIMEOUT_MS = 5000;
/** Of each name server: a datagram may get lost. */
const ATTEMPTS = 2;
/** Answers that are looked at. */
const MAX_VALUES = 100;

/** What the DNS said to one question. */
export interface Lookup {
  /** Addresses, or texts of TXT records. Empty = there are none, or it is not known: then `failure` says why. */
  values: readonly string[];
  failure: string | null;
}

/**
 * Asks for the records of a name. Never throws.
 *
 * @param servers Name servers to ask, in this order, as `address:port`; empty = those of the system.
 */
export async function lookUp(
  name: string,
  type: "A" | "AAAA" | "TXT",
  servers: readonly string[],
): Promise<Lookup> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), LOOKUP_TIMEOUT_MS);
  let failure = "";
  try {
    for (let attempt = 0; attempt < ATTEMPTS && !deadline.signal.aborted; attempt++) {
      for (const server of servers.length > 0 ? servers : [null]) {
        try {
          return { values: await ask(name, type, server, deadline.signal), failure: null };
        } catch (error) {
          failure = failureText(error, server);
        }
      }
    }
    return { values: [], failure };
  } finally {
    clearTimeout(timer);
  }
}

/** Asks for the IPv4 and the IPv6 addresses of a name. Never throws. */
export async function lookUpAddresses(name: string, servers: readonly string[]): Promise<Lookup> {
  const [ipv4, ipv6] = await Promise.all([lookUp(name, "A", servers), lookUp(name, "AAAA", servers)]);
  return { values: [...ipv4.values, ...ipv6.values], failure: ipv4.failure ?? ipv6.failure };
}

async function ask(
  name: string,
  type: "A" | "AAAA" | "TXT",
  server: string | null,
  signal: AbortSignal,
): Promise<string[]> {
  // The dot keeps the system's search domains out. With a signal Deno asks once, and waits 2 s for the answer.
  const options = { signal, ...(server === null ? {} : { nameServer: nameServer(server) }) };
  try {
    const found = type === "TXT"
      ? (await Deno.resolveDns(`${name}.`, type, options)).map((parts) => parts.join(""))
      : await Deno.resolveDns(`${name}.`, type, options);
    return found.slice(0, MAX_VALUES);
  } catch (error) {
    // Also where the server refuses or fails: Deno does not tell that apart.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function nameServer(server: string): { ipAddr: string; port: number } {
  const colon = server.lastIndexOf(":");
  return { ipAddr: server.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(server.slice(colon + 1)) };
}

function failureText(error: unknown, server: string | null): string {
  const from = server === null ? "the name servers of this machine" : `name server "${server}"`;
  const isLate = error instanceof Deno.errors.TimedOut || (error as Error).name === "AbortError";
  return isLate ? `no answer from ${from}` : `${from} cannot be asked: ${(error as Error).message}`;
}
