import { randomBytes } from "node:crypto";
import type { GitBranch, GitLink, GitSettings } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Database } from "./database.ts";

/** Deliveries remembered of each project. */
const MAX_DELIVERIES = 1000;
const SECRET_BYTES = 32;
/** Settings by which the same commit is deployed otherwise. */
const DEPLOYED_BY = ["productionBranch", "rootDirectory", "entrypoint", "buildCommand"] as const;

/** With which a repository is read. */
export interface GitCredential {
  username: string;
  token: string;
}

/** When repositories are looked at again. Times are ISO 8601. */
export interface PollTimes {
  /** Those that were looked at before. */
  syncedBefore: string;
  /** Those whose webhooks arrive: that is when the last one was accepted after … */
  deliveredAfter: string;
  /** … only if they were looked at before. */
  deliveredSyncedBefore: string;
  limit: number;
}

type Row = Omit<GitLink, "previews" | "credentialUsername"> & { previews: number; credential: string | null };

const COLUMNS = `project_id AS projectId, url, provider, api_url AS apiUrl,
  production_branch AS productionBranch, previews, root_directory AS rootDirectory, entrypoint,
  build_command AS buildCommand, credential, delivered_at AS deliveredAt, synced_at AS syncedAt,
  sync_error AS syncError, status_at AS statusAt, status_error AS statusError, created_at AS createdAt,
  updated_at AS updatedAt`;

/** The repositories that projects follow, and what was done about their branches. */
export class GitLinks {
  readonly #database: Database;
  readonly #secrets: SecretBox;

  constructor(database: Database, secrets: SecretBox) {
    this.#database = database;
    this.#secrets = secrets;
  }

  /** The link of a project, or `null`. */
  get(projectId: string): GitLink | null {
    const row = this.#row(projectId);
    if (row === undefined) return null;
    const { credential: _, previews, ...fields } = row;
    return {
      ...fields,
      previews: previews === 1,
      credentialUsername: this.#openCredential(row)?.username ?? null,
    };
  }

  /**
   * Sets the link of a project. What was known of another repository is forgotten, its secrets as well.
   *
   * @param credential `undefined` = as before.
   */
  put(projectId: string, settings: GitSettings, credential?: GitCredential | null): GitLink {
    const now = new Date().toISOString();
    this.#database.transaction(() => {
      const before = this.#row(projectId);
      this.#database.run(
        `INSERT INTO git_links (project_id, url, provider, api_url, production_branch, previews, root_directory, entrypoint,
           build_command, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (project_id) DO UPDATE SET url = excluded.url, provider = excluded.provider,
           api_url = excluded.api_url, production_branch = excluded.production_branch, previews = excluded.previews,
           root_directory = excluded.root_directory, entrypoint = excluded.entrypoint,
           build_command = excluded.build_command, updated_at = excluded.updated_at`,
        projectId,
        settings.url,
        settings.provider,
        settings.apiUrl,
        settings.productionBranch,
        Number(settings.previews),
        settings.rootDirectory,
        settings.entrypoint,
        settings.buildCommand,
        now,
        now,
      );
      if (before !== undefined && before.url !== settings.url) this.#forgetRepository(projectId);
      if (before !== undefined && DEPLOYED_BY.some((name) => before[name] !== settings[name])) {
        this.#setStale(projectId, true);
      }
      // A token goes nowhere but where it was given for.
      if (before !== undefined && before.apiUrl !== settings.apiUrl) this.#setCredential(projectId, null);
      if (credential !== undefined) this.#setCredential(projectId, credential);
    });
    return this.get(projectId)!;
  }

  /** Whether the production was deployed by other settings than those of now. */
  isStale(projectId: string): boolean {
    return this.#database.get("SELECT 1 FROM git_links WHERE project_id = ? AND is_stale = 1", projectId) !==
      undefined;
  }

  /** Records that the production is deployed by the settings of now. */
  refreshed(projectId: string): void {
    this.#setStale(projectId, false);
  }

  /** Ends it. False if there is none. */
  delete(projectId: string): boolean {
    return this.#database.run("DELETE FROM git_links WHERE project_id = ?", projectId) > 0;
  }

  /** With what the repository is read, or `null`. */
  credential(projectId: string): GitCredential | null {
    const row = this.#row(projectId);
    return row === undefined ? null : this.#openCredential(row);
  }

  /** What webhooks are signed with, or `null`. */
  webhookSecret(projectId: string): string | null {
    const row = this.#database.get<{ secret: string | null }>(
      "SELECT webhook_secret AS secret FROM git_links WHERE project_id = ?",
      projectId,
    );
    return row?.secret ? this.#secrets.open(row.secret, secretPlace(projectId)) : null;
  }

  /** Makes a new secret for webhooks; the one before is worth nothing any more. In the form of Standard Webhooks. */
  renewWebhookSecret(projectId: string): string {
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString("base64")}`;
    this.#database.run(
      "UPDATE git_links SET webhook_secret = ? WHERE project_id = ?",
      this.#secrets.seal(secret, secretPlace(projectId)),
      projectId,
    );
    return secret;
  }

  /** Records a webhook. False if it was accepted before. */
  accept(projectId: string, digest: string): boolean {
    return this.#database.transaction(() => {
      const added = this.#database.run(
        "INSERT OR IGNORE INTO git_deliveries (project_id, digest) VALUES (?, ?)",
        projectId,
        digest,
      );
      if (added === 0) return false;
      this.#database.run(
        `DELETE FROM git_deliveries WHERE project_id = ?1 AND seq <=
           (SELECT seq FROM git_deliveries WHERE project_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
        projectId,
        MAX_DELIVERIES,
      );
      this.#database.run(
        "UPDATE git_links SET delivered_at = ? WHERE project_id = ?",
        new Date().toISOString(),
        projectId,
      );
      return true;
    });
  }

  /** Records that the repository was looked at. */
  synced(projectId: string, error: string | null): void {
    this.#database.run(
      "UPDATE git_links SET synced_at = ?, sync_error = ? WHERE project_id = ?",
      new Date().toISOString(),
      error,
      projectId,
    );
  }

  /** Records that a commit status was sent. */
  reported(projectId: string, error: string | null): void {
    this.#database.run(
      "UPDATE git_links SET status_at = ?, status_error = ? WHERE project_id = ?",
      new Date().toISOString(),
      error,
      projectId,
    );
  }

  /** The projects whose repositories are to be looked at again, the one that waits longest first. */
  due({ syncedBefore, deliveredAfter, deliveredSyncedBefore, limit }: PollTimes): string[] {
    const rows = this.#database.all<{ projectId: string }>(
      `SELECT project_id AS projectId FROM git_links
       WHERE url IS NOT NULL AND coalesce(synced_at, '') < iif(coalesce(delivered_at, '') > ?, ?, ?)
       ORDER BY synced_at LIMIT ?`,
      deliveredAfter,
      deliveredSyncedBefore,
      syncedBefore,
      limit,
    );
    return rows.map(({ projectId }) => projectId);
  }

  /** What was done about each branch. */
  branches(projectId: string): GitBranch[] {
    return this.#database.all(
      `SELECT branch, sha, state, deployment_id AS deploymentId, note FROM git_branches
       WHERE project_id = ? ORDER BY branch`,
      projectId,
    );
  }

  /** Records what was done about a branch. */
  setBranch(projectId: string, { branch, sha, state, deploymentId, note }: GitBranch): void {
    this.#database.run(
      `INSERT INTO git_branches (project_id, branch, sha, state, deployment_id, note, updated_at)
       SELECT project_id, ?2, ?3, ?4, ?5, ?6, ?7 FROM git_links WHERE project_id = ?1
       ON CONFLICT (project_id, branch) DO UPDATE SET sha = excluded.sha, state = excluded.state,
         deployment_id = excluded.deployment_id, note = excluded.note, updated_at = excluded.updated_at`,
      projectId,
      branch,
      sha,
      state,
      deploymentId,
      note,
      new Date().toISOString(),
    );
  }

  /** From now on what failed counts as changed. */
  retryFailed(projectId: string): void {
    this.#database.run(
      "UPDATE git_branches SET sha = '' WHERE project_id = ? AND state = 'failed'",
      projectId,
    );
  }

  /** Forgets a branch that is gone. */
  removeBranch(projectId: string, branch: string): void {
    this.#database.run("DELETE FROM git_branches WHERE project_id = ? AND branch = ?", projectId, branch);
  }

  /** Whether a deployment was made because its project follows a repository. */
  isFollowed(deploymentId: string): boolean {
    return this.#database.get("SELECT 1 FROM git_branches WHERE deployment_id = ?", deploymentId) !==
      undefined;
  }

  #row(projectId: string): Row | undefined {
    return this.#database.get<Row>(`SELECT ${COLUMNS} FROM git_links WHERE project_id = ?`, projectId);
  }

  #forgetRepository(projectId: string): void {
    this.#database.run("DELETE FROM git_branches WHERE project_id = ?", projectId);
    this.#database.run("DELETE FROM git_deliveries WHERE project_id = ?", projectId);
    this.#database.run(
      `UPDATE git_links SET credential = NULL, webhook_secret = NULL, delivered_at = NULL, synced_at = NULL,
         sync_error = NULL, status_at = NULL, status_error = NULL WHERE project_id = ?`,
      projectId,
    );
  }

  #setStale(projectId: string, stale: boolean): void {
    this.#database.run("UPDATE git_links SET is_stale = ? WHERE project_id = ?", Number(stale), projectId);
  }

  #setCredential(projectId: string, credential: GitCredential | null): void {
    this.#database.run(
      "UPDATE git_links SET credential = ? WHERE project_id = ?",
      credential && this.#secrets.seal(JSON.stringify(credential), credentialPlace(projectId)),
      projectId,
    );
  }

  #openCredential({ projectId, credential }: Pick<Row, "projectId" | "credential">): GitCredential | null {
    return credential && JSON.parse(this.#secrets.open(credential, credentialPlace(projectId)));
  }
}

function secretPlace(projectId: string): string {
  return `git_links.webhook_secret ${projectId}`;
}

function credentialPlace(projectId: string): string {
  return `git_links.credential ${projectId}`;
}
