import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { KEY_BYTES } from "./secret_box.ts";

/** 32 bytes in base64 or base64url. */
const KEY = /^[A-Za-z0-9+/_-]{43}=?$/;
const GROUP_AND_OTHERS = 0o077;

/**
 * The key in a file; `null` = there is no such file. Of one that other users can read, it says so on standard error.
 *
 * @throws {Error} The file cannot be read, or holds no key.
 */
export async function readSecretKey(path: string): Promise<Uint8Array | null> {
  const text = await Deno.readTextFile(path).catch((error: unknown) => {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  });
  if (text === null) return null;
  if (!KEY.test(text.trim())) {
    throw new Error(`Cannot use "${path}" as the key of secrets: must be ${KEY_BYTES} bytes in base64`);
  }
  if (isOpenToOthers(await Deno.stat(path))) {
    console.error(`The key of secrets can be read by other users of this machine: chmod 600 "${path}"`);
  }
  return Buffer.from(text.trim(), "base64");
}

/** Whether other users of this machine can do anything with the file of a key. */
export function isOpenToOthers({ mode }: Deno.FileInfo): boolean {
  return mode !== null && (mode & GROUP_AND_OTHERS) !== 0;
}

/**
 * Makes a key, readable by its owner alone and durable before this resolves.
 *
 * @throws {Error} There is such a file, or it cannot be written.
 */
export async function makeSecretKey(path: string): Promise<Uint8Array> {
  const key = randomBytes(KEY_BYTES);
  const made = `${path}.${crypto.randomUUID()}`;
  try {
    using file = await Deno.open(made, { write: true, createNew: true, mode: 0o600 });
    await file.write(new TextEncoder().encode(`${key.toString("base64url")}\n`));
    await file.sync();
    await Deno.link(made, path);
  } finally {
    await Deno.remove(made).catch(() => {}); // It was never made.
  }
  using folder = await Deno.open(dirname(path));
  await folder.sync();
  return key;
}
