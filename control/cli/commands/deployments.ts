import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { deploymentUrls } from "../deploy_snapshot.ts";
import { existingProject } from "../existing_project.ts";
import { formatSince } from "../quantity.ts";
import { printable } from "../terminal.ts";

/** As git abbreviates a hash in a repository of some size. */
const SHORT_SHA_LENGTH = 12;

/** `isola deployments`: list those of a project, show one, delete one. */
export const deployments = defineCommand({
  name: "deployments",
  summary: "List, show and delete deployments",
  usage: ["deployments [list] --project NAME", "deployments show ID", "deployments delete ID"],
  options: {
    project: {
      type: "string",
      short: "p",
      value: "NAME",
      help: "project whose deployments are listed",
      linked: true,
    },
  },
  remote: true,
  examples: ["isola deployments --project hello", "isola deployments show a1b2c3d4e5f6"],
  async run(context) {
    const { options, positionals: [action = "list", id] } = context;
    if (action === "list") return await list(context, options.project);
    const actions = { show, delete: remove };
    const act = chosenAction(action, { of: "deployments", actions, besides: ["list"] });
    if (!id) throw new CliError("usage", `Cannot ${action} a deployment without its id`);
    await act(context, id);
  },
});

async function list({ client, json, terminal }: CommandContext, name: string | undefined): Promise<void> {
  const project = await existingProject(client(), name);
  const all = await client().deployments(project.id);
  if (json) return terminal.printJson(all);
  if (all.length === 0) {
    return terminal.note(`No deployments yet. Make one: isola deploy DIR --project ${project.name}`);
  }
  const rows = all.map(({ id, status, production, createdAt, git, domains }) => [
    id,
    status,
    production ? "production" : "preview",
    formatSince(createdAt),
    git === null ? "-" : printable(`${git.branch ?? ""} ${git.sha.slice(0, SHORT_SHA_LENGTH)}`.trim()),
    domains.join(" "),
  ]);
  terminal.printTable(["ID", "STATUS", "KIND", "AGE", "COMMIT", "HOSTS"], rows);
}

async function remove({ client, json, terminal }: CommandContext, id: string): Promise<void> {
  await client().deleteDeployment(id);
  if (json) terminal.printJson({ id });
  else terminal.print(`Deleted deployment "${id}"`);
}

async function show({ client, json, terminal }: CommandContext, id: string): Promise<void> {
  const deployment = await client().deployment(id);
  if (json) return terminal.printJson(deployment);
  const project = await existingProject(client(), deployment.projectId);
  terminal.print(`id       ${deployment.id}`);
  terminal.print(`project  ${project.name}`);
  terminal.print(`status   ${deployment.status}`);
  terminal.print(`kind     ${deployment.production ? "production" : "preview"}`);
  terminal.print(`created  ${deployment.createdAt} (${formatSince(deployment.createdAt)} ago)`);
  if (deployment.git !== null) {
    const { branch, sha, author, message, url } = deployment.git;
    terminal.print(
      `commit   ${sha}${branch === null ? "" : ` on ${printable(branch)}`}, by ${printable(author)}`,
    );
    terminal.print(`message  ${printable(message.split("\n", 1)[0]!)}`);
    if (url !== null) terminal.print(`page     ${url}`);
  }
  for (const url of deploymentUrls(deployment, project)) terminal.print(`url      ${url}`);
}
