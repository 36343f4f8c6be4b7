/** Of one name. */
const MAX_ADDRESSES = 8;

/** How {@linkcode dial} goes about it. */
export interface DialOptions {
  /** For one address, while there are others to try. */
  attemptTimeoutMs: number;
  signal: AbortSignal;
}

/**
 * Connects to the first of `addresses` that answers.
 *
 * @param addresses At least one; literal, so that nothing is resolved again.
 * @throws What the last attempt failed with, or the reason of its signal.
 */
export async function dial(
  addresses: readonly string[],
  port: number,
  { attemptTimeoutMs, signal }: DialOptions,
): Promise<Deno.TcpConn> {
  const tried = addresses.slice(0, MAX_ADDRESSES);
  let lastError: unknown;
  for (const [index, hostname] of tried.entries()) {
    signal.throwIfAborted();
    const isLast = index === tried.length - 1;
    try {
      const bounds = isLast ? [signal] : [signal, AbortSignal.timeout(attemptTimeoutMs)];
      return await connect(hostname, port, AbortSignal.any(bounds));
    } catch (error) {
      lastError = error;
    }
  }
  throw lastError;
}

async function connect(hostname: string, port: number, signal: AbortSignal): Promise<Deno.TcpConn> {
  // `Deno.connect` ends with this call, and would drop a connection that was made in the same turn without closing it.
  signal.throwIfAborted = () => {};
  let connection;
  try {
    connection = await Deno.connect({ hostname, port, signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
  if (!signal.aborted) return connection;
  connection.close();
  throw signal.reason;
}
