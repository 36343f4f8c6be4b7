import type { Project } from "../model.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import type { Hostnames } from "./hostnames.ts";
import { type Listed, type ListOptions, readPage } from "./listing.ts";

const COLUMNS = `id, organization_id AS organizationId, name, description, untrusted, access_log AS accessLog,
  production_deployment_id AS productionDeploymentId, created_at AS createdAt, updated_at AS updatedAt`;

const SORT_COLUMNS = { name: "name", updated_at: "updated_at" } as const;

/** By what projects can be sorted. */
export type ProjectSort = keyof typeof SORT_COLUMNS;

/** What can be changed of a project. */
export type ProjectChanges = Partial<Pick<Project, "name" | "description" | "untrusted" | "accessLog">>;

/** As SQLite has it. */
type Row = Omit<Project, "untrusted" | "accessLog"> & { untrusted: number; accessLog: number };

/** The projects of all organizations. */
export class Projects {
  readonly #database: Database;
  readonly #hostnames: Hostnames;
  readonly #routesChanged: (projectId: string) => void;

  constructor(database: Database, hostnames: Hostnames, routesChanged: (projectId: string) => void) {
    this.#database = database;
    this.#hostnames = hostnames;
    this.#routesChanged = routesChanged;
  }

  /** @throws {StoreError} `nameTaken`. */
  create(
    input: Pick<Project, "organizationId" | "name" | "description"> & Partial<Pick<Project, "untrusted">>,
  ): Project {
    const now = new Date().toISOString();
    const project: Project = {
      id: crypto.randomUUID(),
      organizationId: input.organizationId,
      name: input.name,
      description: input.description,
      productionDeploymentId: null,
      untrusted: input.untrusted ?? false,
      accessLog: false,
      createdAt: now,
      updatedAt: now,
    };
    this.#database.transaction(() => {
      this.#refuseTakenName(project.name, project.id);
      this.#database.run(
        `INSERT INTO projects (id, organization_id, name, description, untrusted, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        project.id,
        project.organizationId,
        project.name,
        project.description,
        Number(project.untrusted),
        now,
        now,
      );
    });
    return project;
  }

  /** The project, or `null`. */
  get(id: string): Project | null {
    return readRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM projects WHERE id = ?`, id));
  }

  /** The project of that name, or `null`. */
  getByName(name: string): Project | null {
    return readRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM projects WHERE name = ?`, name));
  }

  /**
   * One page of an organization's projects; `q` is looked for in names and ids.
   *
   * @param onlyId `null` = all.
   */
  list(
    organizationId: string,
    options: ListOptions<ProjectSort>,
    onlyId: string | null = null,
  ): Listed<Project> {
    const owner = onlyId === null ? "organization_id" : "id";
    const where = `${owner} = ?1 AND (?2 IS NULL OR instr(name, ?2) > 0 OR instr(id, ?2) > 0)`;
    const query = {
      columns: COLUMNS,
      table: "projects",
      where,
      order: [SORT_COLUMNS[options.sort], "rowid"],
    };
    const { items, total } = readPage<Row>(this.#database, query, onlyId ?? organizationId, options);
    return { items: items.map((row) => readRow(row)!), total };
  }

  /**
   * Changes what is given. A new name changes the project's hostnames at once; of trust and of the access log, whoever knows
   * of routes hears, too.
   *
   * @returns The project, or `null` if there is none.
   * @throws {StoreError} `nameTaken`.
   */
  update(id: string, changes: ProjectChanges): Project | null {
    const rerouted = this.#database.transaction(() => {
      const before = this.get(id);
      if (before === null) return false;
      const { name, description, untrusted, accessLog } = { ...before, ...changes };
      if (name !== before.name) this.#refuseTakenName(name, id);
      this.#database.run(
        "UPDATE projects SET name = ?, description = ?, untrusted = ?, access_log = ?, updated_at = ? WHERE id = ?",
        name,
        description,
        Number(untrusted),
        Number(accessLog),
        new Date().toISOString(),
        id,
      );
      if (name !== before.name) this.#hostnames.renameProject(before, name);
      return name !== before.name || untrusted !== before.untrusted || accessLog !== before.accessLog;
    });
    if (rerouted) this.#routesChanged(id);
    return this.get(id);
  }

  /** Deletes the project with its deployments. Returns their ids, or `null` if there is no such project. */
  delete(id: string): string[] | null {
    const deploymentIds = this.#database.transaction(() => {
      const deployments = this.#database.all<{ id: string }>(
        "SELECT id FROM deployments WHERE project_id = ?",
        id,
      );
      const deleted = this.#database.run("DELETE FROM projects WHERE id = ?", id);
      return deleted === 0 ? null : deployments.map((deployment) => deployment.id);
    });
    if (deploymentIds !== null) this.#routesChanged(id);
    return deploymentIds;
  }

  #refuseTakenName(name: string, id: string): void {
    const taken = this.#database.get("SELECT 1 FROM projects WHERE name = ? AND id <> ?", name, id);
    if (taken !== undefined) {
      throw new StoreError("nameTaken", `Cannot name the project "${name}": a project of that name exists`);
    }
  }
}

function readRow(row: Row | undefined): Project | null {
  return row === undefined
    ? null
    : { ...row, untrusted: row.untrusted === 1, accessLog: row.accessLog === 1 };
}
