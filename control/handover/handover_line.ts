import { join } from "node:path";

/** What two servers of one data directory say to each other, a byte each. */
export const WORDS = {
  /** The older one: the data directory is yours; I go on serving visitors with what I know. */
  released: 0x72,
  /** The younger one: I serve visitors; finish your requests and end. */
  end: 0x65,
} as const;

/** Where the server of a data directory can be asked to hand it over: a unix socket, for its owner alone. */
export function handoverPath(dataDir: string): string {
  return join(dataDir, "handover.sock");
}

/** The next byte from the other server; `null` = it has gone. */
export async function readWord(connection: Deno.Conn): Promise<number | null> {
  const word = new Uint8Array(1);
  const length = await connection.read(word).catch(() => null); // A reset, or closed by this side.
  return length === null ? null : word[0]!;
}

/** @throws {Error} the other server has gone */
export async function writeWord(connection: Deno.Conn, word: number): Promise<void> {
  await connection.write(Uint8Array.of(word));
}
