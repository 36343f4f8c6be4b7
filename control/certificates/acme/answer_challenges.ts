import { createHash } from "node:crypto";
import type { Challenge } from "../../../runner/mod.ts";
import type { Authorization } from "./authorization.ts";
import { AcmeError } from "./acme_error.ts";
import { type DnsProvider, DnsProviderError } from "./dns/dns_provider.ts";
import { recordNameOf, type TxtRecord, untilVisible } from "./dns/txt_lookup.ts";

/** The ways in which challenges can be answered. */
export interface ChallengeAnswers {
  /** Resolves when every runner answers them, which they do until what it returns is disposed. */
  publish(challenges: readonly Challenge[]): Promise<AsyncDisposable>;
  /** `null` = dns-01 cannot be answered. */
  dns: DnsProvider | null;
  /** `address:port` of name servers that tell whether a record is visible; empty = those of the system. */
  dnsServers: readonly string[];
}

/** What is not visible by then may be so to the authority: it is asked. */
const VISIBLE_WITHIN_MS = 60_000;
const CLEANUP_TIMEOUT_MS = 10_000;

/**
 * Publishes the answers to challenges, until what it returns is disposed.
 *
 * @throws {AcmeError} a DNS provider could not be used, or there is none
 * @throws the signal's reason
 */
export async function answerChallenges(
  authorizations: readonly Authorization[],
  { publish, dns, dnsServers }: ChallengeAnswers,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await using answers = new AsyncDisposableStack();
  const byHttp = authorizations.filter(({ challenge }) => challenge === "http-01");
  if (byHttp.length > 0) {
    answers.use(
      await publish(byHttp.map(({ hostname, token, keyAuthorization }) => ({
        hostname,
        token,
        keyAuthorization,
      }))),
    );
  }
  const byDns = authorizations.filter(({ challenge }) => challenge === "dns-01");
  const records: TxtRecord[] = [];
  for (const authorization of byDns) {
    const record = await recordOf(authorization, dnsServers, signal);
    records.push(record);
    await present(requireProvider(dns), record, { answers, signal });
  }
  const options = { servers: dnsServers, timeoutMs: VISIBLE_WITHIN_MS, signal };
  await Promise.all(records.map((record) => untilVisible(record, options)));
  return answers.move();
}

/** RFC 8555 §8.4. */
async function recordOf(
  { hostname, keyAuthorization }: Authorization,
  dnsServers: readonly string[],
  signal: AbortSignal,
): Promise<TxtRecord> {
  return {
    name: await recordNameOf(`_acme-challenge.${hostname}`, dnsServers, signal),
    value: createHash("sha256").update(keyAuthorization).digest("base64url"),
  };
}

async function present(
  dns: DnsProvider,
  { name, value }: TxtRecord,
  { answers, signal }: { answers: AsyncDisposableStack; signal: AbortSignal },
): Promise<void> {
  // Also after an attempt that failed: it may have done half of it.
  answers.defer(() => removeRecord(dns, { name, value }));
  try {
    await dns.present(name, value, signal);
  } catch (error) {
    if (!(error instanceof DnsProviderError)) throw error;
    throw new AcmeError(error.message, { type: "dnsProvider", detail: error.message }, { cause: error });
  }
}

/** A record that stays is of no use to anybody, but it is the operator's zone. */
async function removeRecord(dns: DnsProvider, { name, value }: TxtRecord): Promise<void> {
  try {
    await dns.cleanup(name, value, AbortSignal.timeout(CLEANUP_TIMEOUT_MS));
  } catch (error) {
    console.error(error instanceof DnsProviderError ? error.message : error);
  }
}

/** @throws {AcmeError} there is none */
export function requireProvider(dns: DnsProvider | null): DnsProvider {
  if (dns !== null) return dns;
  throw new AcmeError(
    "A wildcard is proven by a TXT record: set tls.acme.dns in isola.yaml to what can make one",
    { type: "dnsProvider", detail: "there is no tls.acme.dns" },
  );
}
