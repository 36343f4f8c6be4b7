import { isIPv6 } from "node:net";
import { isLocalName } from "../certificates/local_names.ts";
import type { Domain } from "../model.ts";
import type { DnsConfig } from "../config/tls_config.ts";

/** What this server is known as outside. */
export interface OutsideNames {
  dns: DnsConfig;
  /** Platform domain of the default URLs. */
  baseDomain: string;
}

/** `DnsRecord` of the reference document. `name` is the whole name. */
export interface DnsRecord {
  type: "A" | "AAAA" | "CNAME" | "TXT";
  name: string;
  content: string;
}

/** The record that proves that a domain is its organization's own. */
export function verificationRecord({ domain, token }: Pick<Domain, "domain" | "token">): DnsRecord {
  return {
    type: "TXT",
    name: `_isola.${domain.replace(/^\*\./, "")}`,
    content: `isola-verification=${token}`,
  };
}

/** The records to set: what leads the domain here, as far as that is known, and what verifies it. */
export function dnsRecords(
  domain: Pick<Domain, "domain" | "token">,
  { dns, baseDomain }: OutsideNames,
): DnsRecord[] {
  const leading = dns.addresses.map((address): DnsRecord => ({
    type: isIPv6(address) ? "AAAA" : "A",
    name: domain.domain,
    content: address,
  }));
  if (leading.length === 0 && hasPublicName(baseDomain)) {
    leading.push({ type: "CNAME", name: domain.domain, content: baseDomain });
  }
  return [...leading, verificationRecord(domain)];
}

/** Whether the DNS may know the platform's own domain: names under `localhost` are every machine's own (RFC 6761). */
export function hasPublicName(baseDomain: string): boolean {
  return !isLocalName(baseDomain);
}
