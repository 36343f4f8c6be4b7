/**
 * Embedded state under one data directory: organizations, tokens, projects, deployments, domains, certificates in
 * SQLite, file contents as content-addressed files. What was acknowledged survives `kill -9` at any moment. It refuses to
 * know HTTP, builds, processes and hostnames' meaning.
 *
 * ```ts
 * using store = await openStore("./.isola");
 * const generatedToken = store.tokens.ensureAdmin(givenToken);
 * for (const id of store.pendingDeployments()) builds.submit(id);
 * ```
 */
export type { Blobs, PutOptions, StoredBlob } from "./blobs.ts";
export type { AcmeAccounts } from "./acme_accounts.ts";
export type { Branches } from "./branches.ts";
export type {
  AuditCursor,
  AuditEntry,
  AuditLog,
  AuditOptions,
  AuditPage,
  AuditQuery,
  AuditRecord,
} from "./audit_log.ts";
export type { CollectedBlobs } from "./blob_collection.ts";
export type { CertificateChange, Certificates, NewCertificate } from "./certificates.ts";
export { dataDirOwner } from "./data_lock.ts";
export { Database, type DatabaseOptions, openDatabase } from "./database.ts";
export type { Databases, DatabaseSort } from "./databases.ts";
export type { BuildResult, Deployments, DeploymentSort, NewDeployment } from "./deployments.ts";
export type { Domains, DomainSort } from "./domains.ts";
export type { DeploymentRecord } from "./deployment_row.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export type { GitCredential, GitLinks } from "./git_links.ts";
export { type Hostnames, type HostnameTarget, resolveTemplate, type TemplateNames } from "./hostnames.ts";
export type { Listed, ListOptions } from "./listing.ts";
export { OldRows } from "./old_rows.ts";
export type { Organizations, OrganizationSort } from "./organizations.ts";
export type { Projects, ProjectSort } from "./projects.ts";
export { storageProblem } from "./storage_problem.ts";
export { openStore, type Store } from "./store.ts";
export type { OpenedVariables, ProjectVariable, VariableChange, Variables } from "./variables.ts";
export {
  type Authentication,
  type Bound,
  type NewToken,
  type Principal,
  type Role,
  type Token,
  type Tokens,
  type TokenSort,
} from "./tokens.ts";
