import { type DnsRecord, dnsRecords } from "../../domains/dns_records.ts";
import type { Domain } from "../../model.ts";
import type { ApiDeps } from "../deps.ts";

/** `Domain` of the reference document. */
export interface DomainJson extends Domain {
  certificates: { cipher: "rsa" | "ec"; expiresAt: string; createdAt: string; updatedAt: string }[];
  /** The project of the deployment, or whose production it is, that the domain leads to. */
  projectId?: string;
  deploymentId?: string;
  /** To be set by whoever has the domain. */
  dnsRecords: DnsRecord[];
}

/** A domain as the API shows it. */
export function domainJson({ store, dns, baseDomain }: ApiDeps, domain: Domain): DomainJson {
  const target = store.hostnames.target(domain.domain);
  const isOwn = target?.organizationId === domain.organizationId;
  return {
    id: domain.id,
    organizationId: domain.organizationId,
    domain: domain.domain,
    token: domain.token,
    isValidated: domain.isValidated,
    certificates: store.certificates.ofDomain(domain.id).map((
      { cipher, expiresAt, createdAt, updatedAt },
    ) => ({
      cipher,
      expiresAt,
      createdAt,
      updatedAt,
    })),
    provisioningStatus: domain.provisioningStatus,
    ...(isOwn ? { projectId: target.projectId } : {}),
    ...(isOwn && target.deploymentId !== null ? { deploymentId: target.deploymentId } : {}),
    createdAt: domain.createdAt,
    updatedAt: domain.updatedAt,
    dnsRecords: dnsRecords(domain, { dns, baseDomain }),
  };
}
