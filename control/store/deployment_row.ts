import type {
  Deployment,
  DeploymentContext,
  DeploymentStatus,
  GitCommit,
  Limits,
  SourceOptions,
} from "../model.ts";
import type { SecretBox } from "../secrets/secret_box.ts";

/** A deployment without what may be large: its files and what was built of them. */
export type DeploymentRecord = Omit<Deployment, "files" | "image">;

/** A deployment as SQLite has it. */
export interface DeploymentRow {
  seq: number;
  id: string;
  projectId: string;
  status: DeploymentStatus;
  description: string | null;
  source: string;
  env: string;
  projectEnv: string;
  context: DeploymentContext;
  databases: string;
  redeployOf: string | null;
  git: string | null;
  net: string | null;
  limits: string;
  domains: string | null;
  production: number | null;
  promotedAt: string | null;
  createdAt: string;
  updatedAt: string;
}

/** Those of a {@linkcode DeploymentRow}. */
export const COLUMNS =
  `seq, id, project_id AS projectId, status, description, source, env, project_env AS projectEnv,
  context, databases, redeploy_of AS redeployOf, git, net, limits, domains, production, promoted_at AS promotedAt,
  created_at AS createdAt, updated_at AS updatedAt`;

/** What a row says. Its variables are opened when they are asked for. */
export function readDeployment(row: DeploymentRow, secrets: SecretBox): DeploymentRecord {
  const { seq: _, ...fields } = row;
  const variables = (sealed: string, column: "env" | "project_env") =>
    JSON.parse(secrets.openOrPlain(sealed, variablesPlace(column, row.id))) as Record<string, string>;
  return {
    ...fields,
    source: JSON.parse(row.source) as SourceOptions,
    get env() {
      return variables(row.env, "env");
    },
    get projectEnv() {
      return variables(row.projectEnv, "project_env");
    },
    databases: JSON.parse(row.databases) as Record<string, string>,
    git: row.git === null ? null : JSON.parse(row.git) as GitCommit,
    net: row.net === null ? null : JSON.parse(row.net) as string[],
    limits: JSON.parse(row.limits) as Partial<Limits>,
    domains: row.domains === null ? null : JSON.parse(row.domains) as string[],
    production: row.production === null ? null : row.production === 1,
  };
}

/** As what variables of a deployment are sealed. */
export function variablesPlace(column: "env" | "project_env", id: string): string {
  return `deployments.${column} ${id}`;
}
