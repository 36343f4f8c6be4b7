import { SClient } from "../runner/front/testing/s_client.ts";

/** PEM of the certificate that a name is served with on a port of this machine; `null` = the handshake failed. */
export async function servedLeaf(port: number, serverName: string): Promise<string | null> {
  using client = new SClient(port, ["-servername", serverName]);
  await client.end();
  const { output } = await client.finish();
  return leafOf(output);
}

/** The first certificate in a text. */
export function leafOf(text: string): string | null {
  return /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(text)?.[0] ?? null;
}
