import { setTimeout as delay } from "node:timers/promises";
import type { ApiDomain } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { existingProject } from "../existing_project.ts";
import type { Terminal } from "../terminal.ts";
import { recordLines, shellWord } from "./domain_lines.ts";
import { findDomain } from "./existing_domain.ts";

/** How {@linkcode addDomain} goes on. */
export interface AddDomainOptions {
  client: ApiClient;
  /** Whose production the domain leads to. */
  project: string | undefined;
  /** Ends where the DNS records would have to be waited for. */
  noWait: boolean;
  terminal: Terminal;
  signal: AbortSignal;
}

const VERIFY_INTERVAL_MS = 2000;
/** With the lookups between them more than ten minutes: new records are seen within that, old ones change later. */
const MAX_VERIFICATIONS = 300;

/**
 * Registers a domain, waits until it is verified, attaches it and gets its certificate; what was done before is not done
 * again. Returns the domain as it is then.
 *
 * @throws {CliError} with what is missing, or why there is no certificate
 */
export async function addDomain(name: string, options: AddDomainOptions): Promise<ApiDomain> {
  const { client, project: projectName, noWait, terminal } = options;
  const project = projectName === undefined ? undefined : await existingProject(client, projectName);
  const domain = await findDomain(client, name) ?? await client.registerDomain(name);
  const further = project === undefined ? [] : ["--project", project.name];
  const again = ["isola domains add", shellWord(name), ...further].join(" ");
  if (!domain.isValidated) {
    if (noWait) {
      terminal.note(`Set these DNS records of "${domain.domain}", then go on with: ${again}`);
      return domain;
    }
    terminal.note(`Set these DNS records of "${domain.domain}" where its DNS is kept:`, "bold");
    for (const line of recordLines(domain)) terminal.note(line);
    await waitUntilVerified(domain, again, options);
    terminal.note(`Verified "${domain.domain}"`, "green");
  }
  if (project !== undefined) {
    await client.associateDomain(domain, { projectId: project.id });
    terminal.note(`Attached "${domain.domain}" to the production of "${project.name}"`, "green");
  }
  const { code } = domain.provisioningStatus;
  if (code === "pending" || code === "failed") await provision(domain, options);
  return await client.domain(domain.id);
}

async function waitUntilVerified(
  domain: ApiDomain,
  again: string,
  { client, terminal, signal }: AddDomainOptions,
): Promise<void> {
  let said = "";
  for (let count = 0; count < MAX_VERIFICATIONS; count++) {
    if (count > 0) await delay(VERIFY_INTERVAL_MS, undefined, { signal });
    try {
      return await client.verifyDomain(domain);
    } catch (error) {
      if (!(error instanceof CliError) || error.apiCode !== "domainNotVerified") throw error;
      if (error.message !== said) terminal.note(`Waiting: ${error.message}`, "yellow");
      said = error.message;
    }
  }
  throw new CliError("failed", `${said}. Go on later with: ${again}`);
}

/** A server that orders no certificates serves the domain without. */
async function provision(domain: ApiDomain, { client, terminal }: AddDomainOptions): Promise<void> {
  terminal.note(`Getting a certificate for "${domain.domain}"`);
  try {
    await client.provisionCertificate(domain);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (error.apiCode === "acmeOff") return terminal.note(error.message, "yellow");
    if (error.apiCode !== "provisioningFailed") throw error;
    throw new CliError(
      "failed",
      `${error.message}. Try again with: isola domains provision ${shellWord(domain.domain)}`,
      {
        cause: error,
      },
    );
  }
}
