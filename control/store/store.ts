import { join } from "node:path";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Limits, Project } from "../model.ts";
import type { RouteSource } from "../routing/routes.ts";
import { AcmeAccounts } from "./acme_accounts.ts";
import { Branches } from "./branches.ts";
import { AuditLog } from "./audit_log.ts";
import { type Blobs, openBlobs } from "./blobs.ts";
import { Certificates } from "./certificates.ts";
import { DataLock } from "./data_lock.ts";
import { type Database, openDatabase } from "./database.ts";
import { Databases } from "./databases.ts";
import { Deployments } from "./deployments.ts";
import { Domains } from "./domains.ts";
import { GitLinks } from "./git_links.ts";
import { Hostnames } from "./hostnames.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openSecrets } from "./open_secrets.ts";
import { Organizations } from "./organizations.ts";
import { Projects } from "./projects.ts";
import { sealPlain } from "./seal_plain.ts";
import { Tokens } from "./tokens.ts";
import { Variables } from "./variables.ts";

/** Everything durable: one SQLite file, and the blobs beside it. */
export class Store implements Disposable {
  /** The tables, for those who keep theirs in the same file. */
  readonly database: Database;
  /** Had from the start on. Who gives it back may go on reading, and adding usage and logs. */
  readonly lock: DataLock;
  readonly blobs: Blobs;
  readonly organizations: Organizations;
  readonly tokens: Tokens;
  readonly projects: Projects;
  readonly deployments: Deployments;
  readonly hostnames: Hostnames;
  readonly branches: Branches;
  readonly domains: Domains;
  readonly databases: Databases;
  readonly certificates: Certificates;
  readonly acmeAccounts: AcmeAccounts;
  readonly audit: AuditLog;
  readonly variables: Variables;
  readonly gitLinks: GitLinks;
  /** Seals what others keep in the tables and nobody may read there. */
  readonly secrets: SecretBox;
  readonly #routeListeners = new Set<(projectId: string) => void>();
  #closed = false;

  constructor(database: Database, blobs: Blobs, lock: DataLock, secrets: SecretBox) {
    const routesChanged = (projectId: string) => this.#announceRoutes(projectId);
    this.database = database;
    this.blobs = blobs;
    this.lock = lock;
    this.organizations = new Organizations(database);
    this.tokens = new Tokens(database);
    this.hostnames = new Hostnames(database, routesChanged);
    this.projects = new Projects(database, this.hostnames, routesChanged);
    this.branches = new Branches(database, routesChanged);
    const { hostnames, branches } = this;
    this.deployments = new Deployments(database, { hostnames, branches, secrets, routesChanged });
    this.certificates = new Certificates(database, secrets);
    this.domains = new Domains(database, this.certificates);
    this.acmeAccounts = new AcmeAccounts(database, secrets);
    this.audit = new AuditLog(database);
    this.variables = new Variables(database, secrets);
    this.gitLinks = new GitLinks(database, secrets);
    this.secrets = secrets;
    this.databases = new Databases(database);
  }

  /** All that the routes of a project, or of all projects, are made of. */
  routes(projectId?: string): RouteSource {
    const [ofProject, parameters] = projectId === undefined
      ? ["TRUE", []]
      : ["projects.id = ?1", [projectId]];
    const deployments = this.database.all<
      { id: string; projectId: string; limits: string; defaultUrls: number }
    >(
      `SELECT deployments.id, project_id AS projectId, limits, domains IS NULL AS defaultUrls
       FROM projects JOIN deployments ON project_id = projects.id
       WHERE status = 'success' AND ${ofProject}`,
      ...parameters,
    );
    return {
      projects: this.database.all<
        Pick<Project, "id" | "name" | "productionDeploymentId"> & { accessLog: number }
      >(
        `SELECT id, name, production_deployment_id AS productionDeploymentId, access_log AS accessLog
         FROM projects WHERE ${ofProject}`,
        ...parameters,
      ).map(({ accessLog, ...project }) => ({ ...project, accessLog: accessLog === 1 })),
      deployments: deployments.map(({ id, projectId, limits, defaultUrls }) => ({
        id,
        projectId,
        limits: JSON.parse(limits) as Partial<Limits>,
        defaultUrls: defaultUrls === 1,
      })),
      hostnames: this.database.all(
        `SELECT hostname, deployment_id AS deploymentId
         FROM projects JOIN deployments ON deployments.project_id = projects.id
           JOIN hostnames ON deployment_id = deployments.id
         WHERE ${ofProject}
         UNION ALL
         SELECT hostname, production_deployment_id AS deploymentId
         FROM projects JOIN hostnames ON project_id = projects.id
         WHERE production_deployment_id IS NOT NULL AND ${ofProject}`,
        ...parameters,
      ),
      branches: this.database.all(
        `SELECT label, deployment_id AS deploymentId
         FROM branches JOIN projects ON projects.id = project_id WHERE ${ofProject}`,
        ...parameters,
      ),
    };
  }

  /**
   * Calls `listener` after every change of what {@linkcode Store.routes} returns, or of what its project may do. Of a hostname
   * that moves from one project to another, the one that gets it is told. Returns how to stop that.
   */
  onRoutesChanged(listener: (projectId: string) => void): () => void {
    this.#routeListeners.add(listener);
    return () => this.#routeListeners.delete(listener);
  }

  /** The deployments whose build was cut off, for a new build at start, oldest first. */
  pendingDeployments(): string[] {
    return this.deployments.pending();
  }

  /** Closes the files and gives the data directory back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#routeListeners.clear();
    this.certificates.close();
    this.tokens.close();
    this.audit.close();
    this.database.close();
    this.lock.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #announceRoutes(projectId: string): void {
    for (const listener of this.#routeListeners) listener(projectId);
  }
}

/** How to open the state. */
export interface StoreOptions {
  /** Where the key of what is sealed is. @default {`secret.key` in the data directory} */
  secretKeyFile?: string;
  /** Whether the server before this one still reads from there, and may do again what it did. @default {false} */
  takesOver?: boolean;
}

/**
 * Opens the state under `dataDir`, making it on first use: `isola.db`, `secret.key`, `blobs/`, and `lock`, which is held
 * until the store is closed.
 *
 * @throws {StoreError} `locked`: another server has it open; `tooNew`: a newer version wrote it; `secretKey`: the key of
 * its secrets is not there.
 */
export async function openStore(dataDir: string, options: StoreOptions = {}): Promise<Store> {
  await Deno.mkdir(dataDir, { recursive: true });
  const lock = new DataLock(dataDir);
  lock.take();
  let database: Database | null = null;
  try {
    database = openDatabase(join(dataDir, "isola.db"), { migrations: MIGRATIONS, durability: "full" });
    // What is deleted or replaced is overwritten: it may be a secret of a version that sealed nothing.
    database.execute("PRAGMA secure_delete = ON");
    const secrets = await openSecrets(database, options.secretKeyFile ?? join(dataDir, "secret.key"));
    sealPlain(database, secrets, options);
    return new Store(database, await openBlobs(database, join(dataDir, "blobs")), lock, secrets);
  } catch (error) {
    database?.close();
    lock.release();
    throw error;
  }
}
