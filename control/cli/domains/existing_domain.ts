import { domainToASCII } from "node:url";
import type { ApiDomain } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { shellWord } from "./domain_lines.ts";

/** The domain of that name, in any spelling of it, or `undefined`. */
export async function findDomain(client: ApiClient, name: string): Promise<ApiDomain | undefined> {
  const wildcard = name.startsWith("*.") ? "*." : "";
  const wanted = wildcard + domainToASCII(name.slice(wildcard.length).replace(/\.$/, "")).toLowerCase();
  const found = await client.domains(wanted);
  return found.find(({ domain }) => domain === wanted);
}

/** @throws {CliError} there is none of that name */
export async function existingDomain(client: ApiClient, name: string): Promise<ApiDomain> {
  const domain = await findDomain(client, name);
  if (!domain) {
    throw new CliError(
      "failed",
      `Cannot find domain "${name}": see isola domains, or add it: isola domains add ${shellWord(name)}`,
    );
  }
  return domain;
}
