import type { ApiDomain } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";
import { table } from "../table.ts";
import { printable, type Terminal } from "../terminal.ts";

/** How it stands with the certificate of a domain, in some words. */
export function describeCertificate({ certificates: [certificate], provisioningStatus }: ApiDomain): string {
  const { code } = provisioningStatus;
  const kept = certificate && `${certificate.cipher}, until ${certificate.expiresAt.slice(0, 10)}`;
  if (code === "failed") return kept === undefined ? "failed" : `${kept}, renewal failed`;
  if (kept === undefined) return "none yet";
  return code === "manual" ? `${kept}, uploaded` : kept;
}

/** A domain's name for a shell, which would look for files of the name of a wildcard. */
export function shellWord(name: string): string {
  return name.includes("*") ? `'${name}'` : name;
}

/** The DNS records of a domain, as a table. */
export function recordLines({ dnsRecords }: ApiDomain): string[] {
  return table(
    ["TYPE", "NAME", "CONTENT"],
    dnsRecords.map(({ type, name, content }) => [type, name, content]),
  );
}

/** Shows all of a domain; its DNS records for as long as they are needed. */
export async function printDomain(domain: ApiDomain, client: ApiClient, terminal: Terminal): Promise<void> {
  terminal.print(`domain       ${domain.domain}`);
  terminal.print(`ownership    ${domain.isValidated ? "verified" : "not verified"}`);
  terminal.print(`certificate  ${describeCertificate(domain)}`);
  if (domain.provisioningStatus.code === "failed") {
    terminal.print(`             ${printable(domain.provisioningStatus.message)}`, "yellow");
  }
  if (domain.projectId !== undefined) {
    const project = await client.findProject(domain.projectId);
    terminal.print(`project      ${project?.name ?? domain.projectId}`);
    terminal.print(`deployment   ${domain.deploymentId ?? "none: the project has no production yet"}`);
  }
  if (domain.isValidated) return;
  terminal.print("");
  for (const line of recordLines(domain)) terminal.print(line);
}
