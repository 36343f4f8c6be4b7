import { randomBytes } from "node:crypto";
import type { Domain, ProvisioningStatus } from "../model.ts";
import type { Certificates } from "./certificates.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import { type Listed, type ListOptions, readPage } from "./listing.ts";

const COLUMNS = `id, organization_id AS organizationId, domain, token, validated_at AS validatedAt,
  provisioning_code AS code, provisioning_message AS message, created_at AS createdAt, updated_at AS updatedAt`;

const SORT_COLUMNS = { domain: "domain", created_at: "created_at", updated_at: "updated_at" } as const;

const TOKEN_BYTES = 12;

/** By what domains can be sorted. */
export type DomainSort = keyof typeof SORT_COLUMNS;

/** As SQLite has it. */
interface Row extends Omit<Domain, "isValidated" | "provisioningStatus"> {
  validatedAt: string | null;
  code: ProvisioningStatus["code"];
  message: string | null;
}

/** The names that organizations have registered. One name, one organization. */
export class Domains {
  readonly #database: Database;
  readonly #certificates: Certificates;

  constructor(database: Database, certificates: Certificates) {
    this.#database = database;
    this.#certificates = certificates;
  }

  /**
   * Registers a name, in lower case, that is still to be verified.
   *
   * @throws {StoreError} `domainTaken`.
   */
  create({ organizationId, domain }: Pick<Domain, "organizationId" | "domain">): Domain {
    const id = crypto.randomUUID();
    this.#database.transaction(() => {
      if (this.byName(domain) !== null) {
        throw new StoreError("domainTaken", `Cannot register domain "${domain}": it is registered already`);
      }
      this.#database.run(
        `INSERT INTO domains (id, organization_id, domain, token, provisioning_code, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5)`,
        id,
        organizationId,
        domain,
        randomBytes(TOKEN_BYTES).toString("hex"),
        new Date().toISOString(),
      );
    });
    return this.get(id)!;
  }

  /** The domain, or `null`. */
  get(id: string): Domain | null {
    return readRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM domains WHERE id = ?`, id));
  }

  /** The domain of that name, in lower case, or `null`. */
  byName(domain: string): Domain | null {
    return readRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM domains WHERE domain = ?`, domain));
  }

  /** Those that are verified, of all organizations, oldest first. */
  validated(): Domain[] {
    return this.#database
      .all<Row>(`SELECT ${COLUMNS} FROM domains WHERE validated_at IS NOT NULL ORDER BY rowid`)
      .map((row) => readRow(row)!);
  }

  /** Whether another organization has verified a name above this one, or the wildcard that covers it. */
  isBelowAnothers({ domain, organizationId }: Pick<Domain, "domain" | "organizationId">): boolean {
    const labels = domain.split(".");
    const above = labels.slice(1).map((_, index) => labels.slice(index + 1).join("."));
    return this.#database.get(
      `SELECT 1 FROM domains JOIN json_each(?) ON domain IN (value, '*.' || value)
       WHERE organization_id <> ? AND validated_at IS NOT NULL LIMIT 1`,
      JSON.stringify(above),
      organizationId,
    ) !== undefined;
  }

  /** One page of an organization's domains; `q` is looked for in names. */
  list(organizationId: string, options: ListOptions<DomainSort>): Listed<Domain> {
    const where = "organization_id = ?1 AND (?2 IS NULL OR instr(domain, lower(?2)) > 0)";
    const query = { columns: COLUMNS, table: "domains", where, order: [SORT_COLUMNS[options.sort], "rowid"] };
    const { items, total } = readPage<Row>(this.#database, query, organizationId, options);
    return { items: items.map((row) => readRow(row)!), total };
  }

  /** Records that the name is the organization's own. False if there is no such domain (any more). */
  markValidated(id: string): boolean {
    return this.#database.run(
      "UPDATE domains SET validated_at = coalesce(validated_at, ?2), updated_at = ?2 WHERE id = ?1",
      id,
      new Date().toISOString(),
    ) > 0;
  }

  /** Records how it stands with the domain's certificate. False if there is no such domain (any more). */
  setProvisioning(id: string, status: ProvisioningStatus): boolean {
    return this.#database.run(
      "UPDATE domains SET provisioning_code = ?, provisioning_message = ?, updated_at = ? WHERE id = ?",
      status.code,
      status.code === "failed" ? status.message : null,
      new Date().toISOString(),
      id,
    ) > 0;
  }

  /** Deletes the domain with its certificate. False if there is no such domain. */
  delete(id: string): boolean {
    this.#certificates.removeOf(id);
    return this.#database.run("DELETE FROM domains WHERE id = ?", id) > 0;
  }
}

function readRow(row: Row | undefined): Domain | null {
  if (row === undefined) return null;
  const { validatedAt, code, message, ...domain } = row;
  return {
    ...domain,
    isValidated: validatedAt !== null,
    provisioningStatus: code === "failed" ? { code, message: message ?? "" } : { code },
  };
}
