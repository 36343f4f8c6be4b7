import { resolve } from "node:path";
import type { ApiDeployment, ApiProject } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { deploymentUrls, deploySnapshot, showBuild } from "../deploy_snapshot.ts";
import { parseDotenv } from "../env/dotenv.ts";
import { readLink } from "../folder_link.ts";
import { formatElapsed } from "../quantity.ts";
import { BlobHasher } from "../snapshot/git_blob.ts";
import { type Snapshot, takeSnapshot } from "../snapshot/take_snapshot.ts";
import type { Terminal } from "../terminal.ts";

/** What a deployment is given apart from its files. */
export const DEPLOYMENT_OPTIONS = {
  entrypoint: { type: "string", value: "FILE", help: "module to start with, relative to DIR" },
  env: { type: "string", multiple: true, value: "NAME=VALUE", help: "variable of the deployment" },
  "env-file": { type: "string", multiple: true, value: "FILE", help: "file of NAME=VALUE lines; --env wins" },
} as const satisfies Record<string, Option>;

/** `isola deploy`: one folder, once. */
export const deploy = defineCommand({
  name: "deploy",
  summary: "Deploy a folder",
  usage: ["deploy [DIR] [--project NAME] [OPTIONS]"],
  details:
    "Uploads what the server does not have yet, follows the build, and prints the addresses. Left out: .git,\n" +
    "node_modules, .isola, .env files, what a .gitignore in DIR or below names, and what deno.json has under\n" +
    '"deploy": {"exclude": […]} ("include" and "entrypoint" count as well). Without a program the folder is served\n' +
    "as a static site. A project that does not exist is created. Without --project: the one that DIR is linked to\n" +
    "(isola link).",
  options: {
    project: { type: "string", short: "p", value: "NAME", help: "project to deploy to" },
    production: {
      type: "boolean",
      help: "make it the production deployment (without --preview the first successful one is)",
    },
    preview: { type: "boolean", help: "do not make it the production deployment, though it be the first" },
    ...DEPLOYMENT_OPTIONS,
    "no-wait": { type: "boolean", help: "do not wait for the build" },
  },
  remote: true,
  examples: [
    "isola deploy --project hello",
    "isola deploy ./shop --project shop --production --env-file .env.production",
  ],
  async run(context) {
    const { options, positionals: [dir = ".", extra], terminal, deps } = context;
    if (extra !== undefined) {
      throw new CliError("usage", `Cannot deploy "${extra}" as well: one folder at a time`);
    }
    const folder = resolve(deps.cwd, dir);
    const link = readLink(folder);
    const name = options.project ?? link?.project;
    if (!name) {
      throw new CliError(
        "usage",
        "Cannot deploy without a project: name it with --project, or see isola link",
      );
    }
    const production = wantedAsProduction(options);
    const startedAt = performance.now();
    const env = readVariables(options, deps.cwd);
    const snapshot = await readFolder(folder, options.entrypoint, context);
    const client = context.client(link);
    const project = await client.findProject(name) ?? await client.createProject(name);
    describe(snapshot, project, client, terminal);
    const created = await deploySnapshot(snapshot, { client, project, env, production, terminal });
    if (options["no-wait"]) return report(context, project, created);
    terminal.note(`Building ${created.id}`);
    const deployment = await build(created, client, context);
    if (deployment.status === "failed") {
      throw new CliError("failed", `Build of deployment "${created.id}" failed: its log is above`);
    }
    terminal.note(`Deployed ${created.id} in ${formatElapsed(performance.now() - startedAt)}`, "green");
    if (!deployment.production) {
      terminal.note(`It is a preview: isola promote ${created.id} makes it the production`);
    }
    report(context, project, deployment);
  },
});

function wantedAsProduction(
  { production, preview }: { production: boolean; preview: boolean },
): boolean | null {
  if (production && preview) {
    throw new CliError("usage", "Cannot use both --production and --preview: give one");
  }
  return production ? true : preview ? false : null;
}

type Surroundings = Pick<CommandContext, "terminal" | "deps">;

async function readFolder(
  folder: string,
  entrypoint: string | undefined,
  { terminal, deps: { signal } }: Surroundings,
): Promise<Snapshot> {
  using _ = terminal.working("Reading files");
  return await takeSnapshot(folder, { entrypoint, hasher: new BlobHasher(), signal });
}

async function build(
  { id }: ApiDeployment,
  client: ApiClient,
  { terminal, deps: { signal } }: Surroundings,
): Promise<ApiDeployment> {
  using _ = terminal.working("Building");
  return await showBuild(id, { client, terminal, signal });
}

/**
 * The variables of `--env-file`, the last file strongest, and over them those of `--env`.
 *
 * @throws {CliError} a file cannot be read, a variable has no "="
 */
export function readVariables(
  options: { env: string[]; "env-file": string[] },
  cwd: string,
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const file of options["env-file"]) {
    try {
      Object.assign(variables, parseDotenv(Deno.readTextFileSync(resolve(cwd, file))));
    } catch (error) {
      throw new CliError("usage", `Cannot read --env-file "${file}": ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  for (const assignment of options.env) {
    const [, name, value] = /^([^=]+)=([^]*)$/.exec(assignment) ?? [];
    if (name === undefined) {
      throw new CliError("usage", `Cannot use --env "${assignment}": must be NAME=VALUE`);
    }
    variables[name] = value!;
  }
  return variables;
}

function describe(snapshot: Snapshot, project: ApiProject, client: ApiClient, terminal: Terminal): void {
  terminal.note(`Deploying ${snapshot.root} to project "${project.name}" on ${client.url}`, "bold");
  terminal.note(`Entry point ${snapshot.entrypoint} (${snapshot.foundBy})`);
  for (const { path, reason } of snapshot.leftOut) terminal.note(`Left out ${path}: ${reason}`, "yellow");
}

function report(
  { json, terminal }: Pick<CommandContext, "json" | "terminal">,
  project: ApiProject,
  deployment: ApiDeployment,
): void {
  const urls = deploymentUrls(deployment, project);
  if (json) return terminal.printJson({ project, deployment, urls });
  for (const url of urls) terminal.print(url, "cyan");
}
