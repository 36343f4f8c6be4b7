import { createHash, randomBytes } from "node:crypto";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import { type Listed, type ListOptions, readPage } from "./listing.ts";
import { TokenUses } from "./token_uses.ts";

/** What a token may do within its bound, each including those after it; `admin` is of the machine. */
export type Role = "admin" | "write" | "deploy" | "read";

/** What a token reaches: one project, one organization, or (both `null`) the whole machine. */
export interface Bound {
  organizationId: string | null;
  /** `null` = all of the organization. */
  projectId: string | null;
}

/** Who a request acts for. */
export interface Principal extends Bound {
  tokenId: string;
  /** The token's. */
  name: string;
  role: Role;
}

/** An access token, without its text. Times are ISO 8601. */
export interface Token extends Bound {
  id: string;
  name: string;
  role: Role;
  createdAt: string;
  /** `null` = never. */
  expiresAt: string | null;
  /** To the minute. */
  lastUsedAt: string | null;
}

/** A token to make. */
export type NewToken = Omit<Token, "id" | "createdAt" | "lastUsedAt">;

/** What a token's text stands for. */
export type Authentication =
  | { state: "accepted"; principal: Principal }
  | { state: "expired" | "revoked"; name: string; at: string }
  | { state: "unknown" };

/** By what tokens can be sorted. */
export type TokenSort = keyof typeof SORT_COLUMNS;

/** Tokens of one organization, with those of its projects; and of the machine. */
const MAX_TOKENS = 1000;
/** Revoked tokens that are remembered; the oldest are forgotten first. */
const MAX_REVOKED = 10_000;
const ADMIN = "admin";
const TOKEN_BYTES = 32;
const SORT_COLUMNS = { name: "name", created_at: "created_at", last_used_at: "last_used_at" } as const;
const COLUMNS =
  `id, name, role, organization_id AS organizationId, project_id AS projectId, created_at AS createdAt,
  expires_at AS expiresAt, last_used_at AS lastUsedAt`;
/** `?1` is now. */
const IS_USABLE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)";

/** Access tokens, kept only as SHA-256 hashes. */
export class Tokens {
  readonly #database: Database;
  readonly #uses: TokenUses;
  readonly #revocationListeners = new Set<(tokenId: string) => void>();

  constructor(database: Database) {
    this.#database = database;
    this.#uses = new TokenUses(database);
  }

  /**
   * What a text stands for. It is looked up by its hash: how long that takes tells of the hash of a guess, from which
   * nothing follows about the token.
   */
  authenticate(text: string): Authentication {
    const row = this.#database.get<Token & { revokedAt: string | null }>(
      `SELECT ${COLUMNS}, revoked_at AS revokedAt FROM tokens WHERE hash = ?`,
      hashOf(text),
    );
    if (row === undefined) return { state: "unknown" };
    const { id, name, role, organizationId, projectId, expiresAt, revokedAt } = row;
    if (revokedAt !== null) return { state: "revoked", name, at: revokedAt };
    if (isPast(expiresAt)) return { state: "expired", name, at: expiresAt! };
    this.#uses.note(row);
    return { state: "accepted", principal: { tokenId: id, name, role, organizationId, projectId } };
  }

  /**
   * Makes a token. Its text is returned this once.
   *
   * @throws {StoreError} `tokenNameTaken`; `tooManyTokens`.
   */
  create(given: NewToken): { token: Token; text: string } {
    const text = generate();
    const id = crypto.randomUUID();
    this.#database.transaction(() => {
      this.#refuseTooMany(given);
      this.#insert({ ...given, id, text });
    });
    return { token: this.get(id)!, text };
  }

  /** The token, or `null`; also an expired one, but no revoked one. */
  get(id: string): Token | null {
    const row = this.#database.get<Token>(
      `SELECT ${COLUMNS} FROM tokens WHERE id = ? AND revoked_at IS NULL`,
      id,
    );
    return row === undefined ? null : this.#uses.latest(row);
  }

  /** Whether there is such a token, neither expired nor revoked. */
  isUsable(id: string): boolean {
    return this.#database.get(
      `SELECT 1 FROM tokens WHERE id = ?2 AND ${IS_USABLE}`,
      new Date().toISOString(),
      id,
    ) !== undefined;
  }

  /** One page of the tokens within a bound, without revoked ones; `q` is looked for in names and ids. */
  list({ organizationId, projectId }: Bound, options: ListOptions<TokenSort>): Listed<Token> {
    const [column, owner] = projectId !== null
      ? ["project_id", projectId]
      : organizationId !== null
      ? ["organization_id", organizationId]
      : ["NULL", null];
    const where = `revoked_at IS NULL AND (?1 IS NULL OR ${column} = ?1)
      AND (?2 IS NULL OR instr(lower(name), lower(?2)) > 0 OR instr(id, ?2) > 0)`;
    const query = { columns: COLUMNS, table: "tokens", where, order: [SORT_COLUMNS[options.sort], "rowid"] };
    const { items, total } = readPage<Token>(this.#database, query, owner ?? null, options);
    return { items: items.map((token) => this.#uses.latest(token)), total };
  }

  /**
   * From now on the token is refused. False if there is none.
   *
   * @throws {StoreError} `lastAdmin`: nobody could manage the machine any more.
   */
  revoke(id: string): boolean {
    const isRevoked = this.#database.transaction(() => {
      const token = this.get(id);
      if (token === null) return false;
      const now = new Date().toISOString();
      const others = `SELECT 1 FROM tokens WHERE role = 'admin' AND ${IS_USABLE} AND id <> ?2`;
      if (token.role === "admin" && this.#database.get(others, now, id) === undefined) {
        const words = "it is the last one of the machine: make another with the role admin first";
        throw new StoreError("lastAdmin", `Cannot revoke token "${token.name}": ${words}`);
      }
      this.#database.run("UPDATE tokens SET revoked_at = ? WHERE id = ?", now, id);
      this.#database.run(
        `DELETE FROM tokens WHERE id IN (
           SELECT id FROM tokens WHERE revoked_at IS NOT NULL ORDER BY revoked_at DESC LIMIT -1 OFFSET ${MAX_REVOKED}
         )`,
      );
      return true;
    });
    if (isRevoked) { for (const listener of this.#revocationListeners) listener(id); }
    return isRevoked;
  }

  /** Calls `listener` after each revocation. Returns how to stop that. */
  onRevoked(listener: (tokenId: string) => void): () => void {
    this.#revocationListeners.add(listener);
    return () => this.#revocationListeners.delete(listener);
  }

  /**
   * Makes sure that there is a token of the machine: `given`, under the name "admin" instead of the one before; else any
   * that can be used; else a new random one.
   *
   * @returns The token if it was generated, which is the only time it can be read; else `null`.
   */
  ensureAdmin(given: string | null): string | null {
    return this.#database.transaction(() => {
      const now = new Date().toISOString();
      const usable = `SELECT 1 FROM tokens WHERE role = 'admin' AND ${IS_USABLE}
        AND (?2 IS NULL OR hash = ?2 AND name = '${ADMIN}')`;
      const givenHash = given === null ? null : hashOf(given);
      if (this.#database.get(usable, now, givenHash) !== undefined) return null;
      const text = given ?? generate();
      // Also another token of the same text: it is what the operator says.
      this.#database.run(
        "DELETE FROM tokens WHERE hash = ? OR name = ? AND organization_id IS NULL AND revoked_at IS NULL",
        hashOf(text),
        ADMIN,
      );
      const machine = { organizationId: null, projectId: null, role: ADMIN, expiresAt: null } as const;
      this.#insert({ ...machine, id: crypto.randomUUID(), name: ADMIN, text });
      return given === null ? text : null;
    });
  }

  /** Writes the last uses that wait. Idempotent. */
  close(): void {
    this.#uses.close();
  }

  #insert(token: Omit<Token, "createdAt" | "lastUsedAt"> & { text: string }): void {
    const taken = this.#database.get(
      "SELECT 1 FROM tokens WHERE organization_id IS ? AND name = ? AND revoked_at IS NULL",
      token.organizationId,
      token.name,
    );
    if (taken !== undefined) {
      const words = "a token of that name exists: revoke it, or choose another name";
      throw new StoreError("tokenNameTaken", `Cannot name the token "${token.name}": ${words}`);
    }
    this.#database.run(
      `INSERT INTO tokens (id, name, role, organization_id, project_id, hash, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      token.id,
      token.name,
      token.role,
      token.organizationId,
      token.projectId,
      hashOf(token.text),
      new Date().toISOString(),
      token.expiresAt,
    );
  }

  #refuseTooMany({ name, organizationId }: Pick<Token, "name" | "organizationId">): void {
    const { count } = this.#database.get<{ count: number }>(
      "SELECT count(*) AS count FROM tokens WHERE organization_id IS ? AND revoked_at IS NULL",
      organizationId,
    )!;
    if (count < MAX_TOKENS) return;
    const words = `there are ${MAX_TOKENS}, which is the most: revoke some first`;
    throw new StoreError("tooManyTokens", `Cannot make token "${name}": ${words}`);
  }
}

function isPast(time: string | null): boolean {
  return time !== null && Date.parse(time) <= Date.now();
}

function generate(): string {
  return `isola_${randomBytes(TOKEN_BYTES).toString("base64url")}`;
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
