import type { AcmeAccount } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Database } from "./database.ts";

/** The accounts with ACME servers, one for each directory. */
export class AcmeAccounts {
  readonly #database: Database;
  readonly #secrets: SecretBox;

  constructor(database: Database, secrets: SecretBox) {
    this.#database = database;
    this.#secrets = secrets;
  }

  /** The account with the server of that directory, or `null`. */
  get(directory: string): AcmeAccount | null {
    const row = this.#database.get<AcmeAccount>(
      "SELECT directory, url, private_key AS privateKey FROM acme_accounts WHERE directory = ?",
      directory,
    );
    return row === undefined
      ? null
      : { ...row, privateKey: this.#secrets.openOrPlain(row.privateKey, keyPlace(directory)) };
  }

  /** Keeps an account in place of the one before. */
  put({ directory, url, privateKey }: AcmeAccount): void {
    this.#database.run(
      `INSERT INTO acme_accounts (directory, url, private_key, created_at) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (directory) DO UPDATE SET url = ?2, private_key = ?3, created_at = ?4`,
      directory,
      url,
      this.#secrets.seal(privateKey, keyPlace(directory)),
      new Date().toISOString(),
    );
  }
}

function keyPlace(directory: string): string {
  return `acme_accounts.private_key ${directory}`;
}
