import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What is sealed begins so; it is neither JSON nor PEM. */
const PREFIX = "v1.";

/**
 * Seals what must not be readable in the database or a copy of it: with AES-256-GCM (NIST SP 800-38D), under a key that is
 * kept elsewhere.
 */
export class SecretBox {
  readonly #key: Uint8Array;

  /** @param key 32 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) {
      throw new TypeError(`Cannot use a key of ${key.length} bytes: must be ${KEY_BYTES}`);
    }
    this.#key = key;
  }

  /** @param place What it is and whose, such as `deployments.env a1b2c3d4e5f6`: it can be opened only as that. */
  seal(text: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(new TextEncoder().encode(place));
    const sealed = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return `${PREFIX}${sealed.toString("base64url")}`;
  }

  /** @throws {Error} It was sealed with another key, as something else, or was changed since. */
  open(sealed: string, place: string): string {
    const bytes = Buffer.from(sealed.slice(PREFIX.length), "base64url");
    if (!isSealed(sealed) || bytes.length < NONCE_BYTES + TAG_BYTES) throw cannotOpen(place);
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES))
      .setAAD(new TextEncoder().encode(place))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, "utf8") +
        decipher.final("utf8");
    } catch (cause) {
      throw cannotOpen(place, cause);
    }
  }
}

/** Whether a text came from {@linkcode SecretBox.seal}. */
export function isSealed(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * The box whose key is in a file, made on first use, readable by its owner alone.
 *
 * @throws {Error} The file holds no key.
 */
export async function openSecretBox(keyFile: string): Promise<SecretBox> {
  const made = randomBytes(KEY_BYTES).toString("base64url");
  await Deno.writeTextFile(keyFile, `${made}\n`, { createNew: true, mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
  const key = Buffer.from((await Deno.readTextFile(keyFile)).trim(), "base64url");
  if (key.length !== KEY_BYTES) {
    throw new Error(`Cannot use "${keyFile}" as the key of secrets: must be ${KEY_BYTES} bytes in base64url`);
  }
  return new SecretBox(key);
}

function cannotOpen(place: string, cause?: unknown): Error {
  return new Error(`Cannot open the secret "${place}": it was not sealed with this key as that`, { cause });
}
