/**
 * Embedded state under one data directory: organizations, tokens, projects, deployments, domains, certificates in
 * SQLite, file contents as content-addressed files. What was acknowledged survives `kill -9` at any moment. It refuses to
 * know HTTP, builds, processes and hostnames' meaning.
 *
 * ```ts
 * using store = await openStore("./.isola");
 * const generatedToken = store.tokens.ensureAdmin(store.organizations.first().id, givenToken);
 * for (const id of store.pendingDeployments()) builds.submit(id);
 * ```
 */
export { type Blobs, MAX_BLOB_BYTES, type PutOptions, type StoredBlob } from "./blobs.ts";
export type { AcmeAccounts } from "./acme_accounts.ts";
export type { CollectedBlobs } from "./blob_collection.ts";
export type { CertificateChange, Certificates, NewCertificate } from "./certificates.ts";
export { dataDirOwner } from "./data_lock.ts";
export { Database, type DatabaseOptions, openDatabase } from "./database.ts";
export type {
  BuildResult,
  DeploymentRecord,
  Deployments,
  DeploymentSort,
  NewDeployment,
} from "./deployments.ts";
export type { Domains, DomainSort } from "./domains.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { type Hostnames, type HostnameTarget, resolveTemplate, type TemplateNames } from "./hostnames.ts";
export type { Listed, ListOptions } from "./listing.ts";
export type { Organizations } from "./organizations.ts";
export type { Projects, ProjectSort } from "./projects.ts";
export { openStore, type Store } from "./store.ts";
export type { Principal, Tokens } from "./tokens.ts";
