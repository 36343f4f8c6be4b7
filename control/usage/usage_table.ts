import type { Database } from "../store/mod.ts";
import { SLOT_MS } from "./slot.ts";
import type { UsageDelta } from "./usage_delta.ts";

/** Rows removed with each batch that is written: more than a batch may write, so that the table does not grow for ever. */
const REMOVED_AT_ONCE = 500;

/** Whose usage is asked for. */
export type UsageScope = { projectId: string } | { organizationId: string };

/** What a project or an organization used in one slot. */
export interface UsageRow extends UsageDelta {
  /** When the slot begins: Unix ms. */
  startMs: number;
}

/** What a deployment has used in all: the columns of its account. */
export interface StoredAccount extends Omit<UsageDelta, "memoryBytes"> {
  id: number;
  /** The short name of its project. */
  project: number;
}

/** What is to be added to an account's row of one slot. */
export interface UsageEntry {
  account: Pick<StoredAccount, "id">;
  slot: number;
  usage: UsageDelta;
}

/** Usage at rest: accounts of deployments, and their rows by slot. */
export class UsageTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The account of a deployment, also of one that was deleted; `undefined` if there never was one, or its project is gone. */
  account(deploymentId: string): StoredAccount | undefined {
    return this.#database.get<StoredAccount>(
      `SELECT id, project, requests, cpu_us / 1000.0 AS cpuMs, uptime_ms AS uptimeMs, ingress_bytes AS ingressBytes,
         egress_bytes AS egressBytes
       FROM usage_accounts WHERE deployment_id = ?`,
      deploymentId,
    );
  }

  /** The short names of the projects in a scope. */
  projects(scope: UsageScope): number[] {
    const [where, id] = "projectId" in scope
      ? ["projects.id = ?", scope.projectId]
      : ["organization_id = ?", scope.organizationId];
    return this.#database.all<{ project: number | null }>(
      `SELECT (SELECT project FROM usage_accounts WHERE project_id = projects.id LIMIT 1) AS project
       FROM projects WHERE ${where}`,
      id,
    ).flatMap(({ project }) => project ?? []);
  }

  /** What some projects used in one slot together. */
  sum(slot: number, projects: readonly number[]): UsageRow {
    // sum() would fail, and total() does not, where no integer of JavaScript holds the result.
    return this.#database.get<UsageRow>(
      `SELECT ?1 * ${SLOT_MS} AS startMs, total(requests) AS requests, total(cpu_us) / 1000 AS cpuMs,
         total(uptime_ms) AS uptimeMs, total(ingress_bytes) AS ingressBytes, total(egress_bytes) AS egressBytes,
         coalesce(max(memory_bytes), 0) AS memoryBytes
       FROM usage_slots WHERE slot = ?1 AND project IN (SELECT value FROM json_each(?2))`,
      slot,
      JSON.stringify(projects),
    )!;
  }

  /**
   * Adds entries in one transaction, those of deleted projects apart, and removes some rows older than `firstSlot`;
   * `null` = none.
   */
  write(entries: readonly UsageEntry[], firstSlot: number | null): void {
    this.#database.transaction(() => {
      for (const entry of entries) this.#add(entry);
      if (firstSlot === null) return;
      this.#database.run(
        `DELETE FROM usage_slots WHERE (slot, project, account) IN
           (SELECT slot, project, account FROM usage_slots WHERE slot < ? LIMIT ${REMOVED_AT_ONCE})`,
        firstSlot,
      );
    });
  }

  #add({ account, slot, usage }: UsageEntry): void {
    const sums = [usage.requests, usage.cpuMs * 1000, usage.uptimeMs, usage.ingressBytes, usage.egressBytes]
      .map(Math.round);
    this.#database.run(
      `UPDATE usage_accounts SET requests = requests + ?2, cpu_us = cpu_us + ?3, uptime_ms = uptime_ms + ?4,
         ingress_bytes = ingress_bytes + ?5, egress_bytes = egress_bytes + ?6
       WHERE id = ?1`,
      account.id,
      ...sums,
    );
    this.#database.run(
      `INSERT INTO usage_slots
         (slot, project, account, requests, cpu_us, uptime_ms, ingress_bytes, egress_bytes, memory_bytes)
       SELECT ?7, project, id, ?2, ?3, ?4, ?5, ?6, ?8 FROM usage_accounts WHERE id = ?1
       ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, cpu_us = cpu_us + excluded.cpu_us,
         uptime_ms = uptime_ms + excluded.uptime_ms, ingress_bytes = ingress_bytes + excluded.ingress_bytes,
         egress_bytes = egress_bytes + excluded.egress_bytes, memory_bytes = max(memory_bytes, excluded.memory_bytes)`,
      account.id,
      ...sums,
      slot,
      Math.round(usage.memoryBytes),
    );
  }
}
