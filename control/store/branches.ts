import { branchLabel } from "../routing/branch_label.ts";
import type { Database } from "./database.ts";

/** A deployment as far as branches know it. */
interface BranchDeployment {
  id: string;
  projectId: string;
  branch: string;
}

/** The branches of projects, each with its newest deployment that succeeded. */
export class Branches {
  readonly #database: Database;
  readonly #routesChanged: (projectId: string) => void;

  constructor(database: Database, routesChanged: (projectId: string) => void) {
    this.#database = database;
    this.#routesChanged = routesChanged;
  }

  /** What the branch of which a deployment is the newest is called in its hostname; `null` = it is of none. */
  labelOf(deploymentId: string): string | null {
    const row = this.#database.get<{ label: string }>(
      "SELECT label FROM branches WHERE deployment_id = ?",
      deploymentId,
    );
    return row?.label ?? null;
  }

  /** Forgets a branch, because it was deleted: its hostname leads nowhere until it is deployed again. False if there was none. */
  close(projectId: string, branch: string): boolean {
    const closed = this.#database.run(
      "DELETE FROM branches WHERE project_id = ? AND branch = ?",
      projectId,
      branch,
    );
    if (closed > 0) this.#routesChanged(projectId);
    return closed > 0;
  }

  /**
   * Has a branch lead to a deployment that has succeeded, unless a newer one has: a build that took long does not roll back.
   * Part of the caller's transaction, which also announces it.
   */
  advance({ id, projectId, branch }: BranchDeployment): void {
    const isTaken = (label: string) =>
      this.#database.get(
        "SELECT 1 FROM branches WHERE project_id = ? AND label = ? AND branch <> ?",
        projectId,
        label,
        branch,
      ) !== undefined;
    this.#database.run(
      `INSERT INTO branches (project_id, branch, label, deployment_id) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (project_id, branch) DO UPDATE SET deployment_id = ?4
       WHERE (SELECT seq FROM deployments WHERE id = ?4) >
         (SELECT seq FROM deployments WHERE id = branches.deployment_id)`,
      projectId,
      branch,
      branchLabel(branch, isTaken),
      id,
    );
  }

  /**
   * Has the branches that lead to a deployment lead to the one before it, if there is one. Part of the transaction that
   * deletes the deployment, and comes before that.
   */
  retreat(deploymentId: string): void {
    this.#database.run(
      `UPDATE branches SET deployment_id = earlier.id
       FROM (
         SELECT others.id FROM deployments JOIN deployments AS others USING (project_id, branch)
         WHERE deployments.id = ?1 AND others.id <> ?1 AND others.status = 'success'
         ORDER BY others.seq DESC LIMIT 1
       ) AS earlier
       WHERE deployment_id = ?1`,
      deploymentId,
    );
  }
}
