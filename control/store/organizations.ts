import type { Organization } from "../model.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import { type Listed, type ListOptions, readPage } from "./listing.ts";

const COLUMNS = "id, name, created_at AS createdAt, updated_at AS updatedAt";
const SORT_COLUMNS = { name: "name", created_at: "created_at", updated_at: "updated_at" } as const;

/** By what organizations can be sorted. */
export type OrganizationSort = keyof typeof SORT_COLUMNS;

/** The organizations: who owns projects, domains and tokens. */
export class Organizations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The organization, or `null`. */
  get(id: string): Organization | null {
    return this.#database.get<Organization>(`SELECT ${COLUMNS} FROM organizations WHERE id = ?`, id) ?? null;
  }

  /** The organization of that name, in whatever case, or `null`. */
  getByName(name: string): Organization | null {
    return this.#database.get<Organization>(
      `SELECT ${COLUMNS} FROM organizations WHERE name = ? COLLATE NOCASE`,
      name,
    ) ?? null;
  }

  /** The organization that a new server starts with; made when there is none. */
  first(): Organization {
    const found = this.#database.get<Organization>(
      `SELECT ${COLUMNS} FROM organizations ORDER BY created_at, id LIMIT 1`,
    );
    return found ?? this.create("default");
  }

  /**
   * One page of all organizations, or of the one; `q` is looked for in names and ids.
   *
   * @param onlyId `null` = all.
   */
  list(onlyId: string | null, options: ListOptions<OrganizationSort>): Listed<Organization> {
    const where = `(?1 IS NULL OR id = ?1)
      AND (?2 IS NULL OR instr(lower(name), lower(?2)) > 0 OR instr(id, ?2) > 0)`;
    const order = [SORT_COLUMNS[options.sort], "rowid"];
    return readPage(
      this.#database,
      { columns: COLUMNS, table: "organizations", where, order },
      onlyId,
      options,
    );
  }

  /** Whether there are several: then one may be after what is another's. */
  areSeveral(): boolean {
    return this.#database.get("SELECT 1 FROM organizations LIMIT 1 OFFSET 1") !== undefined;
  }

  /** @throws {StoreError} `organizationNameTaken`. */
  create(name: string): Organization {
    const now = new Date().toISOString();
    const organization = { id: crypto.randomUUID(), name, createdAt: now, updatedAt: now };
    this.#database.transaction(() => {
      this.#refuseTakenName(name, organization.id);
      this.#database.run(
        "INSERT INTO organizations (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)",
        organization.id,
        name,
        now,
        now,
      );
    });
    return organization;
  }

  /**
   * Gives it another name. `null` if there is no such organization.
   *
   * @throws {StoreError} `organizationNameTaken`.
   */
  rename(id: string, name: string): Organization | null {
    this.#database.transaction(() => {
      this.#refuseTakenName(name, id);
      this.#database.run(
        "UPDATE organizations SET name = ?, updated_at = ? WHERE id = ?",
        name,
        new Date().toISOString(),
        id,
      );
    });
    return this.get(id);
  }

  /**
   * Deletes it with its tokens. False if there is no such organization.
   *
   * @throws {StoreError} `organizationNotEmpty`: it has projects or domains.
   */
  delete(id: string): boolean {
    return this.#database.transaction(() => {
      const { projects, domains } = this.#database.get<{ projects: number; domains: number }>(
        `SELECT (SELECT count(*) FROM projects WHERE organization_id = ?1) AS projects,
           (SELECT count(*) FROM domains WHERE organization_id = ?1) AS domains`,
        id,
      )!;
      if (projects + domains > 0) {
        const words = `its projects (${projects}) and domains (${domains}) are to be deleted first`;
        const name = this.get(id)?.name ?? id;
        throw new StoreError("organizationNotEmpty", `Cannot delete organization "${name}": ${words}`);
      }
      return this.#database.run("DELETE FROM organizations WHERE id = ?", id) > 0;
    });
  }

  #refuseTakenName(name: string, id: string): void {
    if ((this.getByName(name)?.id ?? id) === id) return;
    throw new StoreError(
      "organizationNameTaken",
      `Cannot name the organization "${name}": an organization of that name exists`,
    );
  }
}
