import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Database } from "./database.ts";

/** Who a request acts for. */
export interface Principal {
  tokenId: string;
  organizationId: string;
}

interface Row {
  id: string;
  organizationId: string;
  hash: Uint8Array;
}

const ADMIN = "admin";

/** Access tokens, kept only as SHA-256 hashes. */
export class Tokens {
  readonly #database: Database;
  #rows: Row[] | null = null;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whose token this is, or `null`. The time taken does not depend on how much of a token is right. */
  authenticate(token: string): Principal | null {
    const hash = hashOf(token);
    let principal: Principal | null = null;
    for (const row of this.#all()) {
      if (timingSafeEqual(row.hash, hash)) {
        principal = { tokenId: row.id, organizationId: row.organizationId };
      }
    }
    return principal;
  }

  /**
   * Makes sure that there is an administrator's token of the organization: `given`, which replaces the one before; else
   * the one before; else a new random one.
   *
   * @returns The token if it was generated, which is the only time it can be read; else `null`.
   */
  ensureAdmin(organizationId: string, given: string | null): string | null {
    const exists = this.#database.get("SELECT 1 FROM tokens WHERE name = ?", ADMIN) !== undefined;
    if (given === null && exists) return null;
    const token = given ?? `isola_${randomBytes(32).toString("base64url")}`;
    this.#database.run(
      `INSERT INTO tokens (id, organization_id, name, hash, created_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET hash = excluded.hash`,
      crypto.randomUUID(),
      organizationId,
      ADMIN,
      hashOf(token),
      new Date().toISOString(),
    );
    this.#rows = null;
    return given === null ? token : null;
  }

  #all(): Row[] {
    return this.#rows ??= this.#database.all<Row>(
      "SELECT id, organization_id AS organizationId, hash FROM tokens",
    );
  }
}

function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
