import { resolve } from "node:path";
import type { ApiDomain } from "../api_shapes.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { addDomain } from "../domains/add_domain.ts";
import { describeCertificate, printDomain } from "../domains/domain_lines.ts";
import { existingDomain } from "../domains/existing_domain.ts";
import { existingProject } from "../existing_project.ts";
import { formatSince } from "../quantity.ts";

const OPTIONS = {
  project: {
    type: "string",
    short: "p",
    value: "NAME",
    help: "project whose production the domain leads to",
    linked: true,
  },
  deployment: { type: "string", short: "d", value: "ID", help: "deployment that the domain leads to" },
  chain: { type: "string", value: "FILE", help: "PEM of the certificate and what signed it" },
  key: { type: "string", value: "FILE", help: "PEM of the certificate's private key" },
  "no-wait": { type: "boolean", help: "show the DNS records and end, instead of waiting for them" },
} as const satisfies Record<string, Option>;

type Context = CommandContext<typeof OPTIONS>;

/** `isola domains`: names of one's own, what they lead to, and their certificates. */
export const domains = defineCommand({
  name: "domains",
  summary: "Add, attach and remove domains, and their certificates",
  usage: [
    "domains [list]",
    "domains add NAME [--project NAME] [--no-wait]",
    "domains show NAME",
    "domains verify NAME",
    "domains attach NAME --project NAME|--deployment ID",
    "domains detach NAME",
    "domains provision NAME",
    "domains certificate NAME --chain FILE --key FILE",
    "domains remove NAME",
  ],
  details:
    'NAME is a hostname, or a wildcard such as *.example.com. "add" does all that it takes: it registers the name, shows\n' +
    "the DNS records to set, waits until they are there, attaches the name to the project's production, and gets a\n" +
    "certificate. It goes on where an earlier one ended. A domain attached with --project follows promote and rollback,\n" +
    "one attached with --deployment stays there.",
  options: OPTIONS,
  remote: true,
  examples: [
    "isola domains add shop.example.com --project shop",
    "isola domains add '*.example.com' --no-wait",
    "isola domains attach shop.example.com --deployment a1b2c3d4e5f6",
    "isola domains certificate shop.example.com --chain fullchain.pem --key privkey.pem",
  ],
  async run(context) {
    const { positionals: [action = "list", name] } = context;
    if (action === "list") return await list(context);
    const act = chosenAction(action, { of: "domains", actions: ACTIONS, besides: ["list"] });
    if (!name) throw new CliError("usage", `Cannot ${action} a domain without its name`);
    await act(context, name);
  },
});

const ACTIONS: Record<string, (context: Context, name: string) => Promise<void>> = {
  async add(context, name) {
    const { options, client, json, terminal, deps: { signal } } = context;
    const { project, "no-wait": noWait } = options;
    const domain = await addDomain(name, { client: client(), project, noWait, terminal, signal });
    if (json) terminal.printJson(domain);
    else await printDomain(domain, client(), terminal);
  },
  async show({ client, json, terminal }, name) {
    const domain = await existingDomain(client(), name);
    if (json) terminal.printJson(domain);
    else await printDomain(domain, client(), terminal);
  },
  async verify(context, name) {
    const domain = await existingDomain(context.client(), name);
    await context.client().verifyDomain(domain);
    await report(context, domain, "is verified");
  },
  async attach(context, name) {
    const { client, options: { project: projectName, deployment: deploymentId } } = context;
    if ((projectName === undefined) === (deploymentId === undefined)) {
      throw new CliError("usage", `Cannot attach "${name}": give either --project or --deployment`);
    }
    const domain = await existingDomain(client(), name);
    if (deploymentId !== undefined) {
      await client().associateDomain(domain, { deploymentId });
      return await report(context, domain, `leads to deployment "${deploymentId}"`);
    }
    const project = await existingProject(client(), projectName);
    await client().associateDomain(domain, { projectId: project.id });
    await report(context, domain, `leads to the production of "${project.name}"`);
  },
  async detach(context, name) {
    const domain = await existingDomain(context.client(), name);
    await context.client().associateDomain(domain, { deploymentId: null });
    await report(context, domain, "leads nowhere any more");
  },
  async provision(context, name) {
    const { client } = context;
    await client().provisionCertificate(await existingDomain(client(), name));
    const domain = await existingDomain(client(), name);
    await report(context, domain, `has as its certificate: ${describeCertificate(domain)}`);
  },
  async certificate(context, name) {
    const { client, options: { chain, key } } = context;
    if (chain === undefined || key === undefined) {
      throw new CliError("usage", `Cannot upload a certificate of "${name}": give --chain and --key`);
    }
    const pem = {
      certificateChain: await readPem("chain", chain, context),
      privateKey: await readPem("key", key, context),
    };
    await client().uploadCertificate(await existingDomain(client(), name), pem);
    const domain = await existingDomain(client(), name);
    await report(context, domain, `has as its certificate: ${describeCertificate(domain)}`);
  },
  async remove({ client, json, terminal }, name) {
    const domain = await existingDomain(client(), name);
    await client().deleteDomain(domain);
    if (json) terminal.printJson(domain);
    else terminal.print(`Removed domain "${domain.domain}"`);
  },
};

async function report(
  { client, json, terminal }: Context,
  { id, domain }: ApiDomain,
  done: string,
): Promise<void> {
  if (json) terminal.printJson(await client().domain(id));
  else terminal.print(`Domain "${domain}" ${done}`);
}

async function readPem(option: string, path: string, { deps }: Context): Promise<string> {
  try {
    return await Deno.readTextFile(resolve(deps.cwd, path));
  } catch (cause) {
    throw new CliError("usage", `Cannot read --${option} "${path}": ${(cause as Error).message}`, { cause });
  }
}

async function list({ client, json, terminal }: Context): Promise<void> {
  const all = await client().domains();
  if (json) return terminal.printJson(all);
  if (all.length === 0) {
    return terminal.note("No domains yet. Add one: isola domains add NAME --project NAME");
  }
  const projects = new Map((await client().projects()).map(({ id, name }) => [id, name]));
  const rows = all.map((domain) => [
    domain.domain,
    domain.isValidated ? "verified" : "not verified",
    describeCertificate(domain),
    domain.projectId === undefined ? "-" : projects.get(domain.projectId) ?? domain.projectId,
    domain.deploymentId ?? "-",
    formatSince(domain.createdAt),
  ]);
  const header = ["DOMAIN", "OWNERSHIP", "CERTIFICATE", "PROJECT", "DEPLOYMENT", "AGE"];
  terminal.printTable(header, rows);
}
