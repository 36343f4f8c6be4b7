import { networkInterfaces } from "node:os";
import { isLocalName } from "../certificates/local_names.ts";
import type { Config } from "../config/config.ts";
import { lookUpAddresses } from "../domains/lookup.ts";
import type { Finding } from "./finding.ts";

const CHECK = "DNS";

/** Whether the names of projects lead to this machine. */
export async function checkNames({ baseDomain, dns }: Config): Promise<Finding> {
  if (isLocalName(baseDomain)) {
    return { check: CHECK, status: "ok", message: `*.${baseDomain} is this machine for browsers and curl` };
  }
  const name = `doctor-${crypto.randomUUID().slice(0, 8)}.${baseDomain}`;
  const { values: found, failure } = await lookUpAddresses(name, dns.servers);
  const own = ownAddresses(dns.addresses);
  const record = `Set a DNS record: *.${baseDomain} A ${[...own][0] ?? "ADDRESS"}`;
  if (found.length === 0) {
    const message = `*.${baseDomain} leads nowhere${failure === null ? "" : `: ${failure}`}`;
    return { check: CHECK, status: "problem", message, advice: record };
  }
  const strange = found.filter((address) => !own.has(address));
  if (strange.length === 0) {
    return { check: CHECK, status: "ok", message: `*.${baseDomain} leads here, to ${found.join(", ")}` };
  }
  return {
    check: CHECK,
    status: "warning",
    message: `*.${baseDomain} leads to ${strange.join(", ")}, which is no address of this machine`,
    advice:
      `If it is reached from outside by that, say so in isola.yaml (dns: {addresses: […]}). Else: ${record}`,
  };
}

function ownAddresses(told: readonly string[]): Set<string> {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal).map(({ address }) => address);
  return new Set([...told, ...own]);
}
