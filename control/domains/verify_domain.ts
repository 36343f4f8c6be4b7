import type { Domain } from "../model.ts";
import { hasPublicName, type OutsideNames, verificationRecord } from "./dns_records.ts";
import { hasHttpProof, type HttpProofOptions, PROOF_PATH } from "./http_proof.ts";
import { lookUp, lookUpAddresses } from "./lookup.ts";
import { ownershipProblem } from "./ownership.ts";

/** By what a domain is verified. */
export interface VerifyOptions extends OutsideNames {
  /**
   * Whether leading here proves it; a wildcard leads nowhere by itself.
   *
   * @default {true}
   */
  byAddress?: boolean;
  /** How its web server is asked. */
  http?: HttpProofOptions;
}

/**
 * Asks the DNS, and the web server that the domain leads to, whether it is its organization's own. Returns `null` if it
 * is, else what is missing, in words for the one who registered it. Takes some seconds at most; never throws.
 */
export async function verifyDomain(
  domain: Pick<Domain, "domain" | "token">,
  { dns, baseDomain, byAddress = true, http }: VerifyOptions,
): Promise<string | null> {
  const isWildcard = domain.domain.startsWith("*.");
  const leads = byAddress && !isWildcard;
  const [texts, addresses, ownAddresses] = await Promise.all([
    lookUp(verificationRecord(domain).name, "TXT", dns.servers),
    isWildcard ? null : lookUpAddresses(domain.domain, dns.servers),
    leads ? platformAddresses(baseDomain, dns.servers) : [],
  ]);
  const problem = ownershipProblem(domain, {
    texts,
    addresses: leads ? addresses : null,
    ownAddresses: [...new Set([...dns.addresses, ...ownAddresses])],
  });
  if (problem === null || addresses === null) return problem;
  return await hasHttpProof(domain, addresses.values, http)
    ? null
    : `${problem}, or serve it at ${proofUrl(domain)}`;
}

/** Where the default URLs lead. A name that nobody asked for before finds a wildcard record. */
async function platformAddresses(baseDomain: string, servers: readonly string[]): Promise<string[]> {
  if (!hasPublicName(baseDomain)) return [];
  const names = [baseDomain, `isola-${crypto.randomUUID()}.${baseDomain}`];
  const found = await Promise.all(names.map((name) => lookUpAddresses(name, servers)));
  return found.flatMap(({ values }) => values);
}

function proofUrl({ domain }: Pick<Domain, "domain">): string {
  return `http://${domain}${PROOF_PATH}`;
}
