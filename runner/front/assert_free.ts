import type { ListenAddress } from "../contract.ts";

/**
 * Since our listeners share their ports (`SO_REUSEPORT`), nothing but this tells that somebody listens there already.
 *
 * @throws {Error} nobody can listen there
 */
export function assertFree({ hostname, port }: ListenAddress): void {
  try {
    Deno.listen({ hostname, port }).close();
  } catch (cause) {
    throw new Error(`Cannot listen on "${hostname}:${port}": ${(cause as Error).message}`, { cause });
  }
}
