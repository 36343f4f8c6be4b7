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
/** Of one organization, still to be verified. */
const MAX_PENDING = 1000;

/** By what domains can be sorted. */
export type DomainSort = keyof typeof SORT_COLUMNS;

/** As SQLite has it. */
interface Row extends Omit<Domain, "isValidated" | "provisioningStatus"> {
  validatedAt: string | null;
  code: ProvisioningStatus["code"];
  message: string | null;
}

/** The names that organizations have registered. One that is verified is of one organization. */
export class Domains {
  readonly #database: Database;
  readonly #certificates: Certificates;

  constructor(database: Database, certificates: Certificates) {
    this.#database = database;
    this.#certificates = certificates;
  }

  /**
   * Registers a name, in lower case, that is still to be verified. Others may do so, too, until one has verified it.
   *
   * @throws {StoreError} `domainTaken`: this organization has registered it, or another has verified it; `tooManyDomains`.
   */
  create({ organizationId, domain }: Pick<Domain, "organizationId" | "domain">): Domain {
    const id = crypto.randomUUID();
    this.#database.transaction(() => {
      this.#refuseTaken(organizationId, domain);
      this.#refuseTooMany(organizationId);
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

  /** Those that are verified, of all organizations, oldest first. */
  validated(): Domain[] {
    return this.#database
      .all<Row>(`SELECT ${COLUMNS} FROM domains WHERE validated_at IS NOT NULL ORDER BY rowid`)
      .map((row) => readRow(row)!);
  }

  /** One page of an organization's domains; `q` is looked for in names. */
  list(organizationId: string, options: ListOptions<DomainSort>): Listed<Domain> {
    const where = "organization_id = ?1 AND (?2 IS NULL OR instr(domain, lower(?2)) > 0)";
    const query = { columns: COLUMNS, table: "domains", where, order: [SORT_COLUMNS[options.sort], "rowid"] };
    const { items, total } = readPage<Row>(this.#database, query, organizationId, options);
    return { items: items.map((row) => readRow(row)!), total };
  }

  /**
   * Records that the name is the organization's own. False if there is no such domain (any more).
   *
   * @throws {StoreError} `domainTaken`: another organization has verified it.
   */
  markValidated(id: string): boolean {
    return this.#database.transaction(() => {
      const domain = this.get(id);
      if (domain === null) return false;
      if (!domain.isValidated && this.ownerOf(domain.domain) !== null) throw taken(domain.domain);
      this.#database.run(
        "UPDATE domains SET validated_at = coalesce(validated_at, ?2), updated_at = ?2 WHERE id = ?1",
        id,
        new Date().toISOString(),
      );
      return true;
    });
  }

  /** The id of the organization that has verified a name, or `null`. */
  ownerOf(domain: string): string | null {
    return this.#database.get<{ owner: string }>(
      "SELECT organization_id AS owner FROM domains WHERE domain = ? AND validated_at IS NOT NULL",
      domain,
    )?.owner ?? null;
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

  #refuseTaken(organizationId: string, domain: string): void {
    const found = this.#database.get(
      "SELECT 1 FROM domains WHERE domain = ? AND (organization_id = ? OR validated_at IS NOT NULL)",
      domain,
      organizationId,
    );
    if (found !== undefined) throw taken(domain);
  }

  #refuseTooMany(organizationId: string): void {
    const { pending } = this.#database.get<{ pending: number }>(
      "SELECT count(*) AS pending FROM domains WHERE organization_id = ? AND validated_at IS NULL",
      organizationId,
    )!;
    if (pending < MAX_PENDING) return;
    throw new StoreError(
      "tooManyDomains",
      `Cannot register a domain: ${MAX_PENDING} of this organization wait to be verified. Verify or remove some`,
    );
  }
}

function taken(domain: string): StoreError {
  return new StoreError("domainTaken", `Cannot register domain "${domain}": it is registered already`);
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
