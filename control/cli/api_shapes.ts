import type { DeploymentContext, DeploymentStatus, GitCommit, ProvisioningStatus } from "../model.ts";
import type { RefusedTokenStatus, SubhosterStatus } from "../api/mod.ts";
import type { Token } from "../store/mod.ts";

/** What the API shows as the server has it. */
export type { RefusedTokenStatus as ApiRefusedToken } from "../api/mod.ts";
/** What the API shows as it is kept. */
export type { AuditRecord as ApiAuditRecord, Role as ApiRole, Token as ApiToken } from "../store/mod.ts";

/** `Project` of the reference document, and what Isola adds. */
export interface ApiProject {
  id: string;
  name: string;
  description: string;
  /** Its deployments are not started where isolates share a process. */
  untrusted: boolean;
  /** Each request is recorded. */
  accessLog: boolean;
  createdAt: string;
  updatedAt: string;
}

/** `Deployment` of the reference document, and what INTERFACE §6 adds. */
export interface ApiDeployment {
  id: string;
  projectId: string;
  status: DeploymentStatus;
  description?: string | null;
  /** Hostnames that lead to it. */
  domains: string[];
  /** The same as URLs. */
  urls: string[];
  production: boolean;
  /** When it last became the production; `null` = it never was. */
  promotedAt: string | null;
  /** Which of its project's variables it has. */
  context: DeploymentContext;
  git: GitCommit | null;
  createdAt: string;
  updatedAt: string;
}

/** `Domain` of the reference document. */
export interface ApiDomain {
  id: string;
  domain: string;
  isValidated: boolean;
  certificates: { cipher: string; expiresAt: string }[];
  provisioningStatus: ProvisioningStatus;
  /** Where it leads, if it is attached. */
  projectId?: string;
  deploymentId?: string;
  createdAt: string;
  dnsRecords: { type: string; name: string; content: string }[];
}

/** To what a domain is attached: a deployment, whatever is a project's production, or nothing. */
export type DomainTarget = { deploymentId: string | null } | { projectId: string };

/** `Asset` of the reference document, content by its git blob SHA-1 alone. */
export type ApiAsset = { kind: "file"; gitSha1: string } | { kind: "symlink"; target: string };

/** `CreateDeploymentRequest` of the reference document, as far as the command line fills it in. */
export interface CreateDeploymentRequest {
  entryPointUrl: string;
  assets: Record<string, ApiAsset>;
  envVars: Record<string, string>;
  /** Without it: only if the project has no production yet. */
  production?: boolean;
  description?: string;
}

/** What `GET /healthz` tells. */
export interface ApiHealth {
  status: string;
  version: string;
  region: string;
  /** The layers around isolates: all of them in a line, and what the machine lacks, a sentence each. */
  sandbox: { level: string; detail: string; missing: string[] };
  [detail: string]: unknown;
}

/** A token that was made just now, with its text. */
export interface ApiNewToken extends Token {
  token: string;
}

/** A subhoster, how it does, and its relay's tokens that were refused. */
export interface ApiSubhoster extends SubhosterStatus {
  refusedTokens: Omit<RefusedTokenStatus, "subhosterId">[];
}
