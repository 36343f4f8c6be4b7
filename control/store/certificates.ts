import type { CertificateMaterial, CertificateRecord } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";

/** A certificate to keep. */
export interface NewCertificate {
  material: CertificateMaterial;
  /** `null` = one of the platform's own. */
  domainId: string | null;
  source: CertificateRecord["source"];
}

/** What became of the certificates. */
export interface CertificateChange {
  installed: CertificateRecord[];
  /** Ids. */
  removed: string[];
}

/** As SQLite has it. */
type Row = Omit<CertificateRecord, "names"> & { names: string };

const COLUMNS = `id, domain_id AS domainId, names, chain, private_key AS privateKey, source, cipher,
  not_before AS notBefore, expires_at AS expiresAt, created_at AS createdAt, updated_at AS updatedAt`;

/** The certificates that visitors are served with. **Invariant:** a domain has at most one; so has a set of platform names. */
export class Certificates {
  readonly #database: Database;
  readonly #secrets: SecretBox;
  readonly #listeners = new Set<(changes: CertificateChange) => void>();

  constructor(database: Database, secrets: SecretBox) {
    this.#database = database;
    this.#secrets = secrets;
  }

  /** All certificates, oldest first. */
  all(): CertificateRecord[] {
    return this.#database
      .all<Row>(`SELECT ${COLUMNS} FROM certificates ORDER BY rowid`)
      .map((row) => this.#toRecord(row));
  }

  /** Those of one domain. */
  ofDomain(domainId: string): CertificateRecord[] {
    return this.#database
      .all<Row>(`SELECT ${COLUMNS} FROM certificates WHERE domain_id = ?`, domainId)
      .map((row) => this.#toRecord(row));
  }

  /**
   * Keeps a certificate in place of its domain's earlier one, whatever its source; one of the platform's own in place of
   * the one with the same names.
   *
   * @throws {StoreError} `domainMissing`: the domain is not registered (any more).
   */
  put({ material, domainId, source }: NewCertificate): CertificateRecord {
    const now = new Date().toISOString();
    const names = material.names.toSorted();
    const record = {
      ...material,
      names,
      id: crypto.randomUUID(),
      domainId,
      source,
      createdAt: now,
      updatedAt: now,
    };
    const removed = this.#database.transaction(() => {
      if (domainId !== null && !this.#hasDomain(domainId)) {
        throw new StoreError(
          "domainMissing",
          `Cannot keep the certificate of "${names.join(", ")}": its domain is not registered any more`,
        );
      }
      const replaced = this.#database.all<{ id: string }>(
        `DELETE FROM certificates WHERE domain_id = ?1 OR (?1 IS NULL AND domain_id IS NULL AND names = ?2)
         RETURNING id`,
        domainId,
        JSON.stringify(names),
      );
      this.#insert(record);
      return replaced.map(({ id }) => id);
    });
    this.#announce({ installed: [record], removed });
    return record;
  }

  /** False if there is no such certificate. */
  remove(id: string): boolean {
    if (this.#database.run("DELETE FROM certificates WHERE id = ?", id) === 0) return false;
    this.#announce({ installed: [], removed: [id] });
    return true;
  }

  /** Removes those of a domain. */
  removeOf(domainId: string): void {
    for (const { id } of this.ofDomain(domainId)) this.remove(id);
  }

  /** Calls `listener` after every change, also when a domain goes with its certificate. Returns how to stop that. */
  onChanged(listener: (changes: CertificateChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nobody is told of anything any more. */
  close(): void {
    this.#listeners.clear();
  }

  #hasDomain(id: string): boolean {
    return this.#database.get("SELECT 1 FROM domains WHERE id = ?", id) !== undefined;
  }

  #insert(record: CertificateRecord): void {
    this.#database.run(
      `INSERT INTO certificates
         (id, domain_id, names, chain, private_key, source, cipher, not_before, expires_at, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      record.id,
      record.domainId,
      JSON.stringify(record.names),
      record.chain,
      this.#secrets.seal(record.privateKey, keyPlace(record)),
      record.source,
      record.cipher,
      record.notBefore,
      record.expiresAt,
      record.createdAt,
      record.updatedAt,
    );
  }

  #toRecord(row: Row): CertificateRecord {
    return {
      ...row,
      names: JSON.parse(row.names) as string[],
      privateKey: this.#secrets.openOrPlain(row.privateKey, keyPlace(row)),
    };
  }

  #announce(changes: CertificateChange): void {
    for (const listener of this.#listeners) listener(changes);
  }
}

function keyPlace({ id }: Pick<CertificateRecord, "id">): string {
  return `certificates.private_key ${id}`;
}
