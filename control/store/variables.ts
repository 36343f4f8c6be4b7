import type { DeploymentContext } from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";
import type { Database } from "./database.ts";

/** A variable of a project as it may be shown. One whose value differs between contexts is there twice. */
export interface ProjectVariable {
  name: string;
  /** `null` = it is secret. */
  value: string | null;
  secret: boolean;
  contexts: DeploymentContext[];
  /** ISO 8601. */
  updatedAt: string;
}

/** A project's variables as they are at one moment. */
export interface OpenedVariables extends Record<DeploymentContext, Record<string, string>> {
  /** By name. Of secret ones the value is not among it. */
  shown: ProjectVariable[];
}

/** What becomes of one variable in some contexts. */
export interface VariableChange {
  name: string;
  /** `null` = it is removed. */
  value: string | null;
  /** @default {as it was; of a new one, false} */
  secret?: boolean;
  contexts: readonly DeploymentContext[];
}

interface Row {
  name: string;
  context: DeploymentContext;
  /** Sealed: the same text where it was set for several contexts at once. */
  value: string;
  secret: number;
  updatedAt: string;
}

const COLUMNS = "name, context, value, secret, updated_at AS updatedAt";

/** The variables that a project's deployments get when they are created. Values are sealed. */
export class Variables {
  readonly #database: Database;
  readonly #secrets: SecretBox;

  constructor(database: Database, secrets: SecretBox) {
    this.#database = database;
    this.#secrets = secrets;
  }

  /** All of a project, in both forms: each value is opened once. */
  read(projectId: string): OpenedVariables {
    const rows = this.#database.all<Row>(
      `SELECT ${COLUMNS} FROM project_variables WHERE project_id = ? ORDER BY name, context DESC`,
      projectId,
    );
    const all: OpenedVariables = { shown: [], production: {}, preview: {} };
    let before: Row | undefined;
    for (const row of rows) {
      const isSame = before?.name === row.name && before.value === row.value && before.secret === row.secret;
      const value = isSame ? all[before!.context][row.name]! : this.#open(projectId, row);
      all[row.context][row.name] = value;
      if (isSame) all.shown.at(-1)!.contexts.push(row.context);
      else all.shown.push(toShown(row, value));
      before = row;
    }
    return all;
  }

  /** Those of a project, by name. */
  list(projectId: string): ProjectVariable[] {
    return this.read(projectId).shown;
  }

  /** The names alone: nothing is opened. */
  names(projectId: string): string[] {
    const rows = this.#database.all<Pick<Row, "name">>(
      "SELECT DISTINCT name FROM project_variables WHERE project_id = ? ORDER BY name",
      projectId,
    );
    return rows.map(({ name }) => name);
  }

  /** What a deployment of that context gets. */
  resolve(projectId: string, context: DeploymentContext): Record<string, string> {
    const rows = this.#database.all<Row>(
      `SELECT ${COLUMNS} FROM project_variables WHERE project_id = ? AND context = ?`,
      projectId,
      context,
    );
    return Object.fromEntries(rows.map((row) => [row.name, this.#open(projectId, row)]));
  }

  /** Makes all of the changes or none. */
  change(projectId: string, changes: readonly VariableChange[]): void {
    const updatedAt = new Date().toISOString();
    this.#database.transaction(() => {
      for (const { name, value, secret, contexts } of changes) {
        const isSecret = secret ?? this.#isSecret(projectId, name);
        const sealed = value === null ? null : this.#secrets.seal(value, place(projectId, name));
        for (const context of contexts) {
          if (sealed === null) this.#remove(projectId, name, context);
          else this.#put(projectId, { name, context, value: sealed, secret: Number(isSecret), updatedAt });
        }
      }
    });
  }

  #isSecret(projectId: string, name: string): boolean {
    return this.#database.get(
      "SELECT 1 FROM project_variables WHERE project_id = ? AND name = ? AND secret = 1",
      projectId,
      name,
    ) !== undefined;
  }

  #put(projectId: string, { name, context, value, secret, updatedAt }: Row): void {
    this.#database.run(
      `INSERT OR REPLACE INTO project_variables (project_id, name, context, value, secret, updated_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
      projectId,
      name,
      context,
      value,
      secret,
      updatedAt,
    );
  }

  #remove(projectId: string, name: string, context: DeploymentContext): void {
    this.#database.run(
      "DELETE FROM project_variables WHERE project_id = ? AND name = ? AND context = ?",
      projectId,
      name,
      context,
    );
  }

  #open(projectId: string, { name, value }: Row): string {
    return this.#secrets.open(value, place(projectId, name));
  }
}

function place(projectId: string, name: string): string {
  return `project_variables.value ${projectId} ${name}`;
}

function toShown({ name, secret, context, updatedAt }: Row, value: string): ProjectVariable {
  return { name, value: secret === 1 ? null : value, secret: secret === 1, contexts: [context], updatedAt };
}
