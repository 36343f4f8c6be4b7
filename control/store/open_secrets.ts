import { SecretBox } from "../secrets/secret_box.ts";
import { makeSecretKey, readSecretKey } from "../secrets/secret_key.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";

/** What the canary says, and where. */
const CANARY = ["isola", "sealing.canary"] as const;

/**
 * The box of everything sealed in a database, with the key in `keyFile`, which is made on first use and never again.
 *
 * @throws {StoreError} `secretKey`: the file is missing, holds no key, or another one than what was sealed needs.
 */
export async function openSecrets(database: Database, keyFile: string): Promise<SecretBox> {
  const { canary } = database.get<{ canary: string | null }>("SELECT canary FROM sealing")!;
  const key = await readSecretKey(keyFile).catch((cause: Error) => {
    throw new StoreError("secretKey", `Cannot open the state: ${cause.message}`, { cause });
  });
  if (key === null && canary !== null) {
    throw refused(`there is no "${keyFile}", the key that its secrets were sealed with`);
  }
  const secrets = new SecretBox(key ?? await makeKey(keyFile));
  if (canary === null) database.run("UPDATE sealing SET canary = ?", secrets.seal(...CANARY));
  else if (!opens(secrets, canary)) {
    throw refused(`"${keyFile}" is not the key that its secrets were sealed with`);
  }
  return secrets;
}

async function makeKey(keyFile: string): Promise<Uint8Array> {
  try {
    return await makeSecretKey(keyFile);
  } catch (cause) {
    const { message } = cause as Error;
    throw new StoreError("secretKey", `Cannot make the key of secrets "${keyFile}": ${message}`, { cause });
  }
}

function opens(secrets: SecretBox, canary: string): boolean {
  try {
    return secrets.open(canary, CANARY[1]) === CANARY[0];
  } catch {
    return false; // Which is the answer.
  }
}

function refused(reason: string): StoreError {
  return new StoreError(
    "secretKey",
    `Cannot open the state: ${reason}. Put that key back, as it was backed up, or name its file with ` +
      "ISOLA_SECRET_KEY_FILE: no other can read what is there",
  );
}
