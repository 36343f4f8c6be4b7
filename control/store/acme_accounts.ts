import type { AcmeAccount } from "../model.ts";
import type { Database } from "./database.ts";

/** The accounts with ACME servers, one for each directory. */
export class AcmeAccounts {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The account with the server of that directory, or `null`. */
  get(directory: string): AcmeAccount | null {
    return this.#database.get<AcmeAccount>(
      "SELECT directory, url, private_key AS privateKey FROM acme_accounts WHERE directory = ?",
      directory,
    ) ?? null;
  }

  /** Keeps an account in place of the one before. */
  put({ directory, url, privateKey }: AcmeAccount): void {
    this.#database.run(
      `INSERT INTO acme_accounts (directory, url, private_key, created_at) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (directory) DO UPDATE SET url = ?2, private_key = ?3, created_at = ?4`,
      directory,
      url,
      privateKey,
      new Date().toISOString(),
    );
  }
}
