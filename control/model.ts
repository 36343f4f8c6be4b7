/** What the control plane keeps: plain data, shared by the store, the API, the build and the supervisor. */

/** Limits of one deployment (INTERFACE §4). Times in milliseconds, memory in MiB. */
export interface Limits {
  memoryMb: number;
  cpuBlockMs: number;
  cpuMsPerRequest: number;
  bootTimeoutMs: number;
  /** Time to response headers; 0 = none. */
  requestTimeoutMs: number;
  maxConcurrency: number;
}

/** Of a machine whose operator says nothing else (INTERFACE §4). */
export const DEFAULT_LIMITS: Limits = {
  memoryMb: 512,
  cpuBlockMs: 1000,
  cpuMsPerRequest: 200,
  bootTimeoutMs: 10_000,
  requestTimeoutMs: 0,
  maxConcurrency: 100,
};

/** Files and links of one deployment (INTERFACE §4). */
export const MAX_FILES = 10_000;
/** Of all of them together. */
export const MAX_FILES_BYTES: number = 2 ** 30;

/** One file of a deployment by the hash of its content, or a symlink to another path inside the deployment. */
export type ManifestEntry =
  | { kind: "file"; sha256: string; size: number }
  | { kind: "symlink"; target: string };

/** Files by normalized relative path ("src/main.ts"): no leading "/", no "." or ".." segment, no NUL, no backslash. */
export type Manifest = Record<string, ManifestEntry>;

/**
 * What a build adds to the snapshot so that it starts fast.
 * - `bundle`: one module graph in `entry`, started in any blank sandbox.
 * - `tree`: the files as they are, started in a sandbox of its own with `config` as its deno.json, because the
 *   program does something that a bundle would change (computed imports, workers, …; `reason` says what).
 */
export interface Image {
  mode: "bundle" | "tree";
  /** Path of the module to import, relative to the deployment's root. */
  entry: string;
  /** Files beside those of the snapshot and over them: the bundle, vendored packages, what the build command wrote. */
  files: Manifest;
  /** `tree` only: path of the configuration that Deno is started with. */
  config?: string;
  reason?: string;
}

/** `pending` until its build has ended. */
export type DeploymentStatus = "pending" | "success" | "failed";

/** Who owns projects. */
export interface Organization {
  id: string;
  name: string;
  createdAt: string;
  updatedAt: string;
}

/** A name with deployments, of which one may be its production. */
export interface Project {
  id: string;
  organizationId: string;
  name: string;
  description: string;
  productionDeploymentId: string | null;
  /** Its code is not the operator's own: it is never started where isolates share a process. */
  untrusted: boolean;
  /** Each request is recorded. */
  accessLog: boolean;
  createdAt: string;
  updatedAt: string;
}

/** How the source is read: the fields of the create body of the official API. */
export interface SourceOptions {
  /** Path of the entry point, relative. */
  entrypoint: string;
  /** Path; `null` = found from deno.json; "" = none. */
  importMap: string | null;
  lockFile: string | null;
  compilerOptions: Record<string, unknown> | null;
  /** Run before the program is bundled, such as `deno task build`; what it writes is deployed. Not set = nothing is. */
  buildCommand?: string;
}

/** Which of a project's variables a deployment gets: it was created to be the production, or not. */
export type DeploymentContext = "production" | "preview";

/** The commit that a deployment was made from. */
export interface GitCommit {
  /** SHA-1 or SHA-256 in hexadecimal. */
  sha: string;
  /** Without `refs/heads/`; `null` = none is known. */
  branch: string | null;
  message: string;
  author: string;
  /** Where people look at it. */
  url: string | null;
}

/** Whose webhooks and commit statuses a repository has; `generic` = signed webhooks, no statuses. */
export type GitProvider = "github" | "gitlab" | "gitea" | "forgejo" | "generic";

/** Which repository a project follows, and how its commits are deployed. */
export interface GitSettings {
  /** `null` = none: commits come with `git push`. */
  url: string | null;
  provider: GitProvider;
  /** Where commit statuses are sent; `null` = where the provider has it by default. */
  apiUrl: string | null;
  /** `null` = the repository's default branch. */
  productionBranch: string | null;
  /** Whether the other branches are deployed, too. */
  previews: boolean;
  /** The folder that is deployed; "" = the whole repository. */
  rootDirectory: string;
  /** Relative to that folder; `null` = found there. */
  entrypoint: string | null;
  /** Run before the program is bundled; `null` = none. */
  buildCommand: string | null;
}

/** {@linkcode GitSettings} of a project, and how it goes. Times are ISO 8601. */
export interface GitLink extends GitSettings {
  projectId: string;
  /** With which the repository is read; its token is not shown. */
  credentialUsername: string | null;
  /** When a webhook was accepted last. */
  deliveredAt: string | null;
  /** When the repository was looked at last, and what went wrong. */
  syncedAt: string | null;
  syncError: string | null;
  /** When a commit status was sent last, and what went wrong. */
  statusAt: string | null;
  statusError: string | null;
  createdAt: string;
  updatedAt: string;
}

/** What was done about the newest commit of a branch. */
export interface GitBranch {
  branch: string;
  sha: string;
  /** `failed`: it could not be deployed, of which a build that fails is no case. */
  state: "deployed" | "skipped" | "failed";
  /** `null` = it was not deployed: `note` says why. */
  deploymentId: string | null;
  note: string | null;
}

/** An immutable snapshot of a program and its configuration. Times are ISO 8601. */
export interface Deployment {
  id: string;
  projectId: string;
  status: DeploymentStatus;
  description: string | null;
  source: SourceOptions;
  files: Manifest;
  /** Of its own; over {@linkcode projectEnv}. */
  env: Record<string, string>;
  /** The project's variables of its context, as they were when it was created. */
  projectEnv: Record<string, string>;
  context: DeploymentContext;
  /** Ids of KV databases by binding. */
  databases: Record<string, string>;
  /** The deployment whose snapshot it shares. */
  redeployOf: string | null;
  git: GitCommit | null;
  /** Hosts that isolates may connect to; `null` = all public ones, `[]` = none. */
  net: string[] | null;
  /** Only what was asked for; the machine's defaults fill the rest. */
  limits: Partial<Limits>;
  /** As given on creation; `null` = the default URLs only. */
  domains: string[] | null;
  /** Wanted as production once it succeeds; `null` = only if the project has none yet. */
  production: boolean | null;
  image: Image | null;
  /** When it last became its project's production; `null` = it never was. */
  promotedAt: string | null;
  createdAt: string;
  updatedAt: string;
}

/** A KV database that an organization has registered. Times are ISO 8601. */
export interface KvDatabase {
  id: string;
  organizationId: string;
  description: string;
  createdAt: string;
  updatedAt: string;
}

/** How the certificates of a domain come about: by ACME, unless `manual`; `failed` says why and what to do. */
export type ProvisioningStatus =
  | { code: "pending" | "success" | "manual" }
  | { code: "failed"; message: string };

/** A name, or a wildcard such as `*.example.com`, that an organization has registered. */
export interface Domain {
  id: string;
  organizationId: string;
  /** Lower case. */
  domain: string;
  /** Proves that it is the organization's own. */
  token: string;
  isValidated: boolean;
  provisioningStatus: ProvisioningStatus;
  createdAt: string;
  updatedAt: string;
}

/** A certificate and its key, checked: they match, the chain is whole. Times are ISO 8601. */
export interface CertificateMaterial {
  /** Lower case; `*.example.com` covers one label. */
  names: string[];
  /** PEM, the leaf first, each signed by the next. */
  chain: string;
  /** PEM. */
  privateKey: string;
  cipher: "rsa" | "ec";
  notBefore: string;
  expiresAt: string;
}

/** A certificate that is kept. */
export interface CertificateRecord extends CertificateMaterial {
  id: string;
  /** `null` = one of the platform's own. */
  domainId: string | null;
  source: "acme" | "manual";
  createdAt: string;
  updatedAt: string;
}

/** An account with an ACME server (RFC 8555 §7.1.2). */
export interface AcmeAccount {
  /** URL of the server's directory. */
  directory: string;
  /** Its own, by which requests name it. */
  url: string;
  /** A JWK, as JSON. */
  privateKey: string;
}

/** Of the official API. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** One line of a build. */
export interface BuildLog {
  level: LogLevel;
  message: string;
}

/** One line that a program printed. */
export interface AppLog {
  time: string;
  level: LogLevel;
  message: string;
  region: string;
}

/** One line that a deployment of a subhoster printed. */
export interface SubhostedLog extends AppLog {
  /** As the subhoster calls it. */
  deploymentId: string;
}

/** One request that is over, as the access log shows it. What is `null` there was not, or is not known. */
export interface AccessLog {
  /** When its head had arrived. */
  time: string;
  method: string;
  /** Lower case, without port. */
  host: string;
  /** Without the query, which may carry secrets; at most 2048 characters. */
  path: string;
  protocol: "HTTP/1.1" | "HTTP/2" | "WebSocket";
  status: number | null;
  /** `aborted`: the response, if there was one, did not reach its end. */
  outcome: "complete" | "aborted";
  /** `cold`: it waited for its isolate's start. */
  start: "cold" | "warm";
  durationMs: number;
  /** From the visitor, and to it, heads included. */
  requestBytes: number;
  responseBytes: number;
  deploymentId: string;
  isolateId: string | null;
  /** Of the error page. */
  errorCode: string | null;
  requestId: string | null;
  /** The visitor's. */
  address: string;
  traceId: string;
  region: string;
  /** So many requests are missing here, of which this was the last. */
  missing: number | null;
}

/** One live isolate, as `GET /v1/isolates` shows it. */
export interface IsolateInfo {
  deploymentId: string;
  state: string;
  pid: number;
  startedAt: string;
  lastRequestAt: string | null;
  requests: number;
  inFlight: number;
  cpuMs: number;
  memoryBytes: number;
}
