import type { Deployment, Image, Manifest } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Branches } from "./branches.ts";
import type { Database } from "./database.ts";
import { newDeploymentId } from "./deployment_id.ts";
import {
  COLUMNS,
  type DeploymentRecord,
  type DeploymentRow,
  readDeployment,
  variablesPlace,
} from "./deployment_row.ts";
import { StoreError } from "./errors.ts";
import type { Hostnames } from "./hostnames.ts";
import { type Listed, type ListOptions, readPage } from "./listing.ts";

/** What a deployment is made of. */
export type NewDeployment =
  & Omit<Deployment, "id" | "status" | "files" | "image" | "promotedAt" | "createdAt" | "updatedAt" | Origin>
  & Partial<Pick<Deployment, Origin>>
  & {
    /** `null` = those of `redeployOf`, with the image that was built of them. */
    files: Manifest | null;
  };

/** What few deployments have. */
type Origin = "projectEnv" | "context" | "databases" | "redeployOf" | "git";

/** How a build ended. */
export type BuildResult = { status: "success"; image: Image } | { status: "failed" };

const SORT_COLUMNS = { id: "id", created_at: "seq" } as const;

/** By what deployments can be sorted. */
export type DeploymentSort = keyof typeof SORT_COLUMNS;

/** What changes with deployments, and who is told. */
export interface DeploymentsOptions {
  hostnames: Hostnames;
  branches: Branches;
  secrets: SecretBox;
  routesChanged(projectId: string): void;
}

/** The deployments of all projects. **Invariant:** one that succeeded is never changed, only promoted or deleted. */
export class Deployments {
  readonly #database: Database;
  readonly #hostnames: Hostnames;
  readonly #branches: Branches;
  readonly #secrets: SecretBox;
  readonly #routesChanged: (projectId: string) => void;

  constructor(database: Database, { hostnames, branches, secrets, routesChanged }: DeploymentsOptions) {
    this.#database = database;
    this.#hostnames = hostnames;
    this.#branches = branches;
    this.#secrets = secrets;
    this.#routesChanged = routesChanged;
  }

  /**
   * Records a deployment, `pending`, in one step with all that it names.
   *
   * @throws {StoreError} `blobMissing`: content of a file is not stored, or the deployment is gone whose files it has.
   */
  create(input: NewDeployment): DeploymentRecord {
    const { files, ...rest } = input;
    const now = new Date().toISOString();
    const record: DeploymentRecord = {
      projectEnv: {},
      context: "production",
      databases: {},
      redeployOf: null,
      git: null,
      ...rest,
      id: newDeploymentId(),
      status: "pending",
      promotedAt: null,
      createdAt: now,
      updatedAt: now,
    };
    this.#database.transaction(() => {
      this.#insert(record);
      const { seq } = this.#row(record.id)!;
      if (files === null) return this.#share(seq, record.redeployOf);
      this.#database.run(
        "INSERT INTO snapshots (deployment_seq, files) VALUES (?, ?)",
        seq,
        JSON.stringify(files),
      );
      this.#reference(seq, files);
    });
    return record;
  }

  /** The deployment, or `null`. */
  get(id: string): DeploymentRecord | null {
    const row = this.#row(id);
    return row === undefined ? null : readDeployment(row, this.#secrets);
  }

  /** The files of a deployment and what its build made of them, or `null` if there is no such deployment. */
  snapshot(id: string): { files: Manifest; image: Image | null } | null {
    const row = this.#database.get<{ files: string; image: string | null }>(
      `SELECT files, image FROM snapshots JOIN deployments ON seq = deployment_seq WHERE id = ?`,
      id,
    );
    if (row === undefined) return null;
    return { files: JSON.parse(row.files), image: row.image === null ? null : JSON.parse(row.image) };
  }

  /** What of its image a deployment is started with: not the files, which may be many. `null` if it is not built. */
  entry(id: string): Pick<Image, "entry" | "config"> | null {
    const row = this.#database.get<{ entry: string; config: string | null }>(
      `SELECT image ->> 'entry' AS entry, image ->> 'config' AS config
       FROM snapshots JOIN deployments ON seq = deployment_seq WHERE id = ? AND image IS NOT NULL`,
      id,
    );
    if (row === undefined) return null;
    return { entry: row.entry, ...(row.config === null ? {} : { config: row.config }) };
  }

  /** Of all of a project's deployments. */
  ids(projectId: string): string[] {
    return this.#ids("project_id = ?", projectId);
  }

  /** One page of a project's deployments; `q` is looked for in ids. */
  list(projectId: string, options: ListOptions<DeploymentSort>): Listed<DeploymentRecord> {
    const where = "project_id = ?1 AND (?2 IS NULL OR instr(id, ?2) > 0)";
    const query = { columns: COLUMNS, table: "deployments", where, order: [SORT_COLUMNS[options.sort]] };
    const { items, total } = readPage<DeploymentRow>(this.#database, query, projectId, options);
    return { items: items.map((row) => readDeployment(row, this.#secrets)), total };
  }

  /** The ids of the deployments whose build has not ended, oldest first. */
  pending(): string[] {
    return this.#ids("status = 'pending' ORDER BY seq");
  }

  /** Those still being built that are to be the project's production and would be newer than what is it, newest first. */
  pendingProduction(projectId: string): string[] {
    return this.#ids(
      `project_id = ?1 AND status = 'pending' AND context = 'production' AND seq > coalesce((
         SELECT seq FROM projects JOIN deployments ON deployments.id = production_deployment_id WHERE projects.id = ?1
       ), 0)
       ORDER BY seq DESC`,
      projectId,
    );
  }

  /** Those of a branch whose build has not ended, oldest first. */
  pendingOf(projectId: string, branch: string): string[] {
    return this.#ids("project_id = ? AND branch = ? AND status = 'pending' ORDER BY seq", projectId, branch);
  }

  /** Gives a deployment that is still being built other variables of its project. One that has succeeded is never changed. */
  renewVariables(id: string, projectEnv: Record<string, string>): void {
    this.#database.run(
      "UPDATE deployments SET project_env = ? WHERE id = ? AND status = 'pending'",
      this.#secrets.seal(JSON.stringify(projectEnv), variablesPlace("project_env", id)),
      id,
    );
  }

  /**
   * Records in one step how a build ended. After a success it also attaches the domains and makes the deployment its
   * project's production if it was wanted so, unless a newer one is: a build that took long does not roll back.
   *
   * @returns False if the deployment is not pending any more, or deleted; nothing is changed then.
   * @throws {StoreError} `blobMissing`: content of the image is not stored.
   */
  finish(id: string, result: BuildResult): boolean {
    const row = this.#row(id);
    if (row === undefined) return false;
    const finished = this.#database.transaction(() => {
      const changed = this.#database.run(
        "UPDATE deployments SET status = ?, updated_at = ? WHERE id = ? AND status = 'pending'",
        result.status,
        new Date().toISOString(),
        id,
      );
      if (changed === 0) return false;
      if (result.status === "success") this.#succeed(row, result.image);
      return true;
    });
    if (finished && result.status === "success") this.#routesChanged(row.projectId);
    return finished;
  }

  /** Makes a deployment its project's production. False if it has not succeeded. */
  promote(id: string): boolean {
    const row = this.#row(id);
    if (row === undefined || !this.#setProduction(id)) return false;
    this.#routesChanged(row.projectId);
    return true;
  }

  /** Deletes a deployment. If it is its project's production, the project is left without. False if there is none. */
  delete(id: string): boolean {
    const row = this.#row(id);
    if (row === undefined) return false;
    this.#database.transaction(() => {
      this.#branches.retreat(id);
      this.#database.run("DELETE FROM deployments WHERE id = ?", id);
    });
    this.#routesChanged(row.projectId);
    return true;
  }

  #row(id: string): DeploymentRow | undefined {
    return this.#database.get<DeploymentRow>(`SELECT ${COLUMNS} FROM deployments WHERE id = ?`, id);
  }

  #ids(where: string, ...parameters: string[]): string[] {
    const rows = this.#database.all<{ id: string }>(
      `SELECT id FROM deployments WHERE ${where}`,
      ...parameters,
    );
    return rows.map(({ id }) => id);
  }

  #setProduction(id: string): boolean {
    const now = new Date().toISOString();
    return this.#database.transaction(() => {
      const changed = this.#database.run(
        `UPDATE projects SET production_deployment_id = ?1, updated_at = ?2
         WHERE id = (SELECT project_id FROM deployments WHERE id = ?1 AND status = 'success')`,
        id,
        now,
      );
      if (changed === 0) return false;
      this.#database.run("UPDATE deployments SET promoted_at = ? WHERE id = ?", now, id);
      return true;
    });
  }

  #insert(record: DeploymentRecord): void {
    this.#database.run(
      `INSERT INTO deployments
         (id, project_id, status, description, source, env, project_env, context, databases, redeploy_of, git, net, limits,
          domains, production, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      record.id,
      record.projectId,
      record.status,
      record.description,
      JSON.stringify(record.source),
      this.#secrets.seal(JSON.stringify(record.env), variablesPlace("env", record.id)),
      this.#secrets.seal(JSON.stringify(record.projectEnv), variablesPlace("project_env", record.id)),
      record.context,
      JSON.stringify(record.databases),
      record.redeployOf,
      record.git === null ? null : JSON.stringify(record.git),
      jsonOrNull(record.net),
      JSON.stringify(record.limits),
      jsonOrNull(record.domains),
      record.production === null ? null : Number(record.production),
      record.createdAt,
      record.updatedAt,
    );
  }

  /** Gives a deployment the snapshot of another, which may then be deleted. */
  #share(seq: number, originId: string | null): void {
    const copied = this.#database.run(
      `INSERT INTO snapshots (deployment_seq, files, image)
       SELECT ?, files, image FROM snapshots JOIN deployments ON seq = deployment_seq WHERE id = ?`,
      seq,
      originId,
    );
    if (copied === 0) {
      throw new StoreError("blobMissing", `Cannot redeploy deployment "${originId}": it does not exist`);
    }
    this.#database.run(
      `INSERT INTO blob_references (deployment_seq, blob_id)
       SELECT ?, blob_id FROM blob_references JOIN deployments ON seq = deployment_seq WHERE id = ?`,
      seq,
      originId,
    );
  }

  #succeed(row: DeploymentRow, image: Image): void {
    this.#database.run(
      "UPDATE snapshots SET image = ? WHERE deployment_seq = ?",
      JSON.stringify(image),
      row.seq,
    );
    this.#reference(row.seq, image.files);
    const project = this.#database.get<
      { name: string; organizationId: string; productionSeq: number | null }
    >(
      `SELECT name, organization_id AS organizationId, deployments.seq AS productionSeq
       FROM projects LEFT JOIN deployments ON deployments.id = production_deployment_id
       WHERE projects.id = ?`,
      row.projectId,
    )!;
    const wanted = row.production === null ? project.productionSeq === null : row.production === 1;
    if (wanted && row.seq > (project.productionSeq ?? 0)) this.#setProduction(row.id);
    const { domains, git } = readDeployment(row, this.#secrets);
    if (git?.branch) this.#branches.advance({ id: row.id, projectId: row.projectId, branch: git.branch });
    this.#hostnames.attachTemplates(domains ?? [], {
      organizationId: project.organizationId,
      projectName: project.name,
      deploymentId: row.id,
    });
  }

  /** Keeps the content of `files` from collection for as long as the deployment is there; its project has it from now on. */
  #reference(seq: number, files: Manifest): void {
    const hashes = new Set<string>();
    for (const entry of Object.values(files)) if (entry.kind === "file") hashes.add(entry.sha256);
    const list = JSON.stringify([...hashes]);
    const { found } = this.#database.get<{ found: number }>(
      "SELECT count(*) AS found FROM json_each(?) JOIN blobs ON sha256 = value",
      list,
    )!;
    if (found !== hashes.size) {
      throw new StoreError(
        "blobMissing",
        `Cannot record the deployment: ${hashes.size - found} of its ${hashes.size} contents are not stored`,
      );
    }
    this.#database.run(
      `INSERT OR IGNORE INTO blob_references (deployment_seq, blob_id)
       SELECT ?, blobs.id FROM json_each(?) JOIN blobs ON sha256 = value`,
      seq,
      list,
    );
    this.#database.run(
      `INSERT OR IGNORE INTO project_blobs
       SELECT project_id, blobs.id FROM deployments, json_each(?2) JOIN blobs ON sha256 = value WHERE seq = ?1`,
      seq,
      list,
    );
  }
}

function jsonOrNull(value: string[] | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
