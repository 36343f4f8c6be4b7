import type { Domain } from "../model.ts";
import { verificationRecord } from "./dns_records.ts";
import type { Lookup } from "./lookup.ts";

/** Of a wrong record, in a message. */
const MAX_SHOWN_LENGTH = 100;
/** Addresses named in a message. */
const MAX_SHOWN = 4;

/** What the DNS says about a domain and about this server. */
export interface DomainFacts {
  /** TXT records of the name where the verification record belongs. */
  texts: Lookup;
  /** Where the domain leads; `null` = that proves nothing. */
  addresses: Lookup | null;
  /** Where this server is reached. */
  ownAddresses: readonly string[];
}

/**
 * Why a domain does not count as its organization's own, or `null`: it does if the verification record is there, or if
 * every address that it has is this server's.
 */
export function ownershipProblem(
  domain: Pick<Domain, "domain" | "token">,
  { texts, addresses, ownAddresses }: DomainFacts,
): string | null {
  const { name, content } = verificationRecord(domain);
  if (texts.values.some((text) => text.trim() === content)) return null;
  const own = new Set(ownAddresses.map(canonical));
  const found = addresses?.failure === null ? addresses.values : [];
  if (found.length > 0 && found.every((address) => own.has(canonical(address)))) return null;
  const problems = [
    textProblem(name, texts),
    ...(addresses === null ? [] : [addressProblem(domain.domain, addresses, ownAddresses)]),
  ];
  const remedy = `Set a TXT record at "${name}" to "${content}"` +
    (addresses !== null && ownAddresses.length > 0 ? ", or let the domain lead here" : "");
  return `Cannot verify domain "${domain.domain}": ${problems.join(", and ")}. ${remedy}`;
}

function textProblem(name: string, { values: [first], failure }: Lookup): string {
  if (failure !== null) return `TXT records at "${name}" cannot be looked up: ${failure}`;
  if (first === undefined) return `there is no TXT record at "${name}"`;
  return `the TXT record at "${name}" is "${first.slice(0, MAX_SHOWN_LENGTH)}"`;
}

function addressProblem(domain: string, { values, failure }: Lookup, own: readonly string[]): string {
  if (failure !== null) return `addresses of "${domain}" cannot be looked up: ${failure}`;
  if (values.length === 0) return `"${domain}" has no address`;
  const here = own.length === 0 ? "which is not known to be this server" : `not to ${some(own)}`;
  return `"${domain}" leads to ${some(values)}, ${here}`;
}

function some(values: readonly string[]): string {
  const more = values.length > MAX_SHOWN ? ` and ${values.length - MAX_SHOWN} more` : "";
  return values.slice(0, MAX_SHOWN).join(", ") + more;
}

/** One spelling for each IPv6 address. */
function canonical(address: string): string {
  return address.includes(":") ? URL.parse(`http://[${address}]`)?.hostname ?? address : address;
}
