import type { Database } from "./database.ts";

/** What the placeholders of a domain template stand for. */
export interface DomainNames {
  projectName: string;
  deploymentId: string;
}

/** The hostname that a domain stands for: `{project.name}` and `{deployment.id}` are replaced. */
export function resolveDomain(template: string, names: DomainNames): string {
  return template
    .replaceAll("{project.name}", names.projectName)
    .replaceAll("{deployment.id}", names.deploymentId);
}

/** Custom domains: which deployment each hostname is attached to. One hostname, one deployment. */
export class Domains {
  readonly #database: Database;
  readonly #routesChanged: (projectId: string) => void;

  constructor(database: Database, routesChanged: (projectId: string) => void) {
    this.#database = database;
    this.#routesChanged = routesChanged;
  }

  /** The hostnames attached to a deployment. */
  of(deploymentId: string): string[] {
    return this.#database
      .all<{ hostname: string }>(
        "SELECT hostname FROM domains WHERE deployment_id = ? ORDER BY hostname",
        deploymentId,
      )
      .map((row) => row.hostname);
  }

  /** Attaches a hostname to a deployment, taking it over from the one that has it. */
  attach(deploymentId: string, hostname: string): void {
    this.#database.run(
      `INSERT INTO domains (hostname, template, deployment_id) VALUES (?1, ?1, ?2)
       ON CONFLICT (hostname) DO UPDATE SET template = ?1, deployment_id = ?2`,
      hostname,
      deploymentId,
    );
    this.#changed(deploymentId);
  }

  /** Detaches a hostname from a deployment. False if it was not attached to it. */
  detach(deploymentId: string, hostname: string): boolean {
    const changed = this.#database.run(
      "DELETE FROM domains WHERE hostname = ? AND deployment_id = ?",
      hostname,
      deploymentId,
    );
    if (changed > 0) this.#changed(deploymentId);
    return changed > 0;
  }

  /**
   * Attaches what a deployment was created with, now that it succeeded. A build that took long does not take a hostname
   * from a newer deployment of its project. Part of the caller's transaction, which also announces it.
   */
  attachTemplates(templates: readonly string[], names: DomainNames): void {
    for (const template of templates) {
      this.#database.run(
        `INSERT INTO domains (hostname, template, deployment_id) VALUES (?1, ?2, ?3)
         ON CONFLICT (hostname) DO UPDATE SET template = ?2, deployment_id = ?3
         WHERE NOT EXISTS (
           SELECT 1 FROM deployments AS holder JOIN deployments AS candidate USING (project_id)
           WHERE holder.id = domains.deployment_id AND candidate.id = ?3 AND holder.seq > candidate.seq
         )`,
        resolveDomain(template, names),
        template,
        names.deploymentId,
      );
    }
  }

  /** Follows a project's new name. Part of the caller's transaction, which also announces it. */
  renameProject(projectId: string, name: string): void {
    this.#database.run(
      `UPDATE OR REPLACE domains
       SET hostname = replace(replace(template, '{project.name}', ?1), '{deployment.id}', deployment_id)
       WHERE instr(template, '{project.name}') > 0
         AND deployment_id IN (SELECT id FROM deployments WHERE project_id = ?2)`,
      name,
      projectId,
    );
  }

  #changed(deploymentId: string): void {
    const { projectId } = this.#database.get<{ projectId: string }>(
      "SELECT project_id AS projectId FROM deployments WHERE id = ?",
      deploymentId,
    )!;
    this.#routesChanged(projectId);
  }
}
