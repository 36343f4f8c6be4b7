import type { Project } from "../model.ts";
import type { Database } from "./database.ts";

/** What the placeholders of a template stand for. */
export interface TemplateNames {
  projectName: string;
  deploymentId: string;
}

/** Where a hostname leads. */
export interface HostnameTarget {
  organizationId: string;
  projectId: string;
  /** `null`: to the project's production, of which there is none. */
  deploymentId: string | null;
}

/** The hostname that a template stands for: `{project.name}` and `{deployment.id}` are replaced. */
export function resolveTemplate(template: string, names: TemplateNames): string {
  return template
    .replaceAll("{project.name}", names.projectName)
    .replaceAll("{deployment.id}", names.deploymentId);
}

/**
 * What is served beside the default URLs: each hostname leads to one deployment, or to whatever is the production of one
 * project.
 */
export class Hostnames {
  readonly #database: Database;
  readonly #routesChanged: (projectId: string) => void;

  constructor(database: Database, routesChanged: (projectId: string) => void) {
    this.#database = database;
    this.#routesChanged = routesChanged;
  }

  /** The hostnames that lead to a deployment now. */
  of(deploymentId: string): string[] {
    return this.#database
      .all<{ hostname: string }>(
        `SELECT hostname FROM hostnames WHERE deployment_id = ?1
         UNION
         SELECT hostname FROM projects JOIN hostnames ON project_id = projects.id
         WHERE production_deployment_id = ?1
         ORDER BY hostname`,
        deploymentId,
      )
      .map((row) => row.hostname);
  }

  /** Those of a deployment that stay with it, whatever is its project's production. */
  attachedTo(deploymentId: string): string[] {
    return this.#database
      .all<{ hostname: string }>(
        "SELECT hostname FROM hostnames WHERE deployment_id = ? ORDER BY hostname",
        deploymentId,
      )
      .map((row) => row.hostname);
  }

  /** Where a hostname leads, or `null`. */
  target(hostname: string): HostnameTarget | null {
    return this.#database.get<HostnameTarget>(
      `SELECT organization_id AS organizationId, projects.id AS projectId,
         coalesce(deployment_id, production_deployment_id) AS deploymentId
       FROM hostnames LEFT JOIN deployments ON deployments.id = deployment_id
         JOIN projects ON projects.id = coalesce(hostnames.project_id, deployments.project_id)
       WHERE hostname = ?`,
      hostname,
    ) ?? null;
  }

  /**
   * Whether an organization may have a hostname: no other has verified the domain, or the wildcard that covers it; or nobody
   * has, and no other attached it.
   */
  isFreeFor(organizationId: string, hostname: string): boolean {
    const { owner } = this.#database.get<{ owner: string }>(
      `SELECT organization_id AS owner FROM domains WHERE domain IN (?1, ?2) AND validated_at IS NOT NULL
       ORDER BY domain = ?1 DESC LIMIT 1`,
      hostname,
      `*${hostname.slice(hostname.indexOf("."))}`,
    ) ?? { owner: this.target(hostname)?.organizationId ?? organizationId };
    return owner === organizationId;
  }

  /** Attaches a hostname to a deployment, taking it over from whatever has it. */
  attach(deploymentId: string, hostname: string): void {
    this.#database.run(
      `INSERT INTO hostnames (hostname, template, deployment_id, attached_after)
       VALUES (?1, ?1, ?2, (SELECT max(seq) FROM deployments))
       ON CONFLICT (hostname) DO UPDATE
       SET template = ?1, deployment_id = ?2, project_id = NULL, attached_after = excluded.attached_after`,
      hostname,
      deploymentId,
    );
    this.#routesChanged(this.target(hostname)!.projectId);
  }

  /** Attaches a hostname to whatever is the project's production, now and later, taking it over from whatever has it. */
  attachToProduction(projectId: string, hostname: string): void {
    const before = this.target(hostname);
    this.#database.run(
      `INSERT INTO hostnames (hostname, template, project_id, attached_after)
       VALUES (?1, ?1, ?2, (SELECT coalesce(max(seq), 0) FROM deployments))
       ON CONFLICT (hostname) DO UPDATE
       SET template = ?1, deployment_id = NULL, project_id = ?2, attached_after = excluded.attached_after`,
      hostname,
      projectId,
    );
    this.#routesChanged(projectId);
    // While the project has no production nothing overrides the route of the one that had the hostname.
    if (before !== null && before.projectId !== projectId) this.#routesChanged(before.projectId);
  }

  /** Detaches a hostname from a deployment. False if it did not lead there. */
  detach(deploymentId: string, hostname: string): boolean {
    return this.target(hostname)?.deploymentId === deploymentId && this.release(hostname);
  }

  /** Detaches a hostname from whatever has it. False if nothing had. */
  release(hostname: string): boolean {
    const target = this.target(hostname);
    if (target === null) return false;
    this.#database.run("DELETE FROM hostnames WHERE hostname = ?", hostname);
    this.#routesChanged(target.projectId);
    return true;
  }

  /**
   * Attaches what a deployment was created with, now that it succeeded, but for what is not free. A build that took long
   * does not take a hostname from a newer deployment of its project, nor one that another project got meanwhile: only when
   * the deployment was created was it checked who may take it from whom. Part of the caller's transaction, which also
   * announces it.
   */
  attachTemplates(
    templates: readonly string[],
    { organizationId, ...names }: TemplateNames & { organizationId: string },
  ): void {
    for (const template of templates) {
      const hostname = resolveTemplate(template, names);
      if (!this.isFreeFor(organizationId, hostname)) continue;
      this.#database.run(
        `INSERT INTO hostnames (hostname, template, deployment_id, attached_after)
         SELECT ?1, ?2, id, seq FROM deployments WHERE id = ?3
         ON CONFLICT (hostname) DO UPDATE
         SET template = ?2, deployment_id = ?3, project_id = NULL, attached_after = excluded.attached_after
         WHERE NOT EXISTS (
           SELECT 1 FROM deployments AS holder JOIN deployments AS candidate USING (project_id)
           WHERE holder.id = hostnames.deployment_id AND candidate.id = ?3 AND holder.seq > candidate.seq
         ) AND (attached_after < excluded.attached_after OR EXISTS (
           SELECT 1 FROM deployments AS candidate LEFT JOIN deployments AS holder ON holder.id = hostnames.deployment_id
           WHERE candidate.id = ?3 AND candidate.project_id = coalesce(hostnames.project_id, holder.project_id)
         ))`,
        hostname,
        template,
        names.deploymentId,
      );
    }
  }

  /**
   * Follows a project's new name; a hostname whose new one is not free, or is another project's, stays. Part of the caller's
   * transaction, which also announces it.
   */
  renameProject({ id, organizationId }: Pick<Project, "id" | "organizationId">, projectName: string): void {
    const attached = this.#database.all<{ hostname: string; template: string; deploymentId: string }>(
      `SELECT hostname, template, deployment_id AS deploymentId FROM hostnames
       WHERE instr(template, '{project.name}') > 0
         AND deployment_id IN (SELECT id FROM deployments WHERE project_id = ?)`,
      id,
    );
    for (const { hostname, template, deploymentId } of attached) {
      const renamed = resolveTemplate(template, { projectName, deploymentId });
      const holder = this.target(renamed)?.projectId ?? id;
      if (holder !== id || !this.isFreeFor(organizationId, renamed)) continue;
      this.#database.run(
        "UPDATE OR REPLACE hostnames SET hostname = ? WHERE hostname = ? AND template = ?",
        renamed,
        hostname,
        template,
      );
    }
  }
}
