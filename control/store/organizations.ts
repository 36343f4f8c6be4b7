import type { Organization } from "../model.ts";
import type { Database } from "./database.ts";

const COLUMNS = "id, name, created_at AS createdAt, updated_at AS updatedAt";

/** The organizations: who owns projects and tokens. */
export class Organizations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The organization, or `null`. */
  get(id: string): Organization | null {
    return this.#database.get<Organization>(`SELECT ${COLUMNS} FROM organizations WHERE id = ?`, id) ?? null;
  }

  /** The organization that a new server starts with; made when there is none. */
  first(): Organization {
    const found = this.#database.get<Organization>(
      `SELECT ${COLUMNS} FROM organizations ORDER BY created_at, id LIMIT 1`,
    );
    return found ?? this.#create("default");
  }

  #create(name: string): Organization {
    const now = new Date().toISOString();
    const organization = { id: crypto.randomUUID(), name, createdAt: now, updatedAt: now };
    this.#database.run(
      "INSERT INTO organizations (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)",
      organization.id,
      name,
      now,
      now,
    );
    return organization;
  }
}
