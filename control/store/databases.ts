import type { KvDatabase } from "../model.ts";
import type { Database } from "./database.ts";
import { type Listed, type ListOptions, readPage } from "./listing.ts";

const COLUMNS =
  "id, organization_id AS organizationId, description, created_at AS createdAt, updated_at AS updatedAt";

/** By what databases can be sorted. */
export type DatabaseSort = "created_at";

/** The KV databases that organizations have registered. */
export class Databases {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Registers a database. */
  create({ organizationId, description }: Pick<KvDatabase, "organizationId" | "description">): KvDatabase {
    const now = new Date().toISOString();
    const created = { id: crypto.randomUUID(), organizationId, description, createdAt: now, updatedAt: now };
    this.#database.run(
      "INSERT INTO databases (id, organization_id, description, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
      created.id,
      organizationId,
      description,
      now,
      now,
    );
    return created;
  }

  /** The database, or `null`. */
  get(id: string): KvDatabase | null {
    return this.#database.get<KvDatabase>(`SELECT ${COLUMNS} FROM databases WHERE id = ?`, id) ?? null;
  }

  /** One page of an organization's databases; `q` is looked for in ids. */
  list(organizationId: string, options: ListOptions<DatabaseSort>): Listed<KvDatabase> {
    const where = "organization_id = ?1 AND (?2 IS NULL OR instr(id, lower(?2)) > 0)";
    const query = { columns: COLUMNS, table: "databases", where, order: ["created_at", "rowid"] };
    return readPage<KvDatabase>(this.#database, query, organizationId, options);
  }

  /** Describes a database anew. `null` if there is none. */
  describe(id: string, description: string): KvDatabase | null {
    this.#database.run(
      "UPDATE databases SET description = ?, updated_at = ? WHERE id = ?",
      description,
      new Date().toISOString(),
      id,
    );
    return this.get(id);
  }
}
