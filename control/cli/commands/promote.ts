import type { ApiDeployment } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import { type ApiClient, deploymentPath } from "../client.ts";
import { defineCommand, type Option } from "../command.ts";
import { changeLines, compareDeployments } from "../deployment_changes.ts";
import { putInForce } from "../env/put_in_force.ts";
import { confirm } from "../prompt.ts";

const OPTIONS = {
  redeploy: {
    type: "boolean",
    help: "promote a new deployment of the same files, with production's variables of now",
  },
  yes: { type: "boolean", short: "y", help: "do not ask" },
} as const satisfies Record<string, Option>;

/** `isola promote`: makes a deployment its project's production. */
export const promote = defineCommand({
  name: "promote",
  summary: "Make a deployment the production of its project",
  usage: ["promote ID [--redeploy] [--yes]"],
  details:
    "Shows what that changes (files, variables, limits, domains) and, on a terminal, asks. A deployment keeps the variables\n" +
    "that it was created with, those of a preview: --redeploy makes one of the same files with those of production.",
  options: OPTIONS,
  remote: true,
  examples: ["isola promote a1b2c3d4e5f6", "isola promote a1b2c3d4e5f6 --redeploy"],
  async run(context) {
    const { options, positionals: [id], client, json, terminal } = context;
    if (!id) throw new CliError("usage", "Cannot promote a deployment without its id: see isola deployments");
    const changes = await changesOf(client(), id);
    for (const line of changes === null ? [] : changeLines(changes, options.redeploy)) terminal.note(line);
    if (changes !== null && !options.yes) {
      await confirm(context, `Make "${id}" the production instead of "${changes.from.id}"?`);
    }
    const deployment = options.redeploy
      ? await putInForce(context, await redeploy(client(), id))
      : await client().promote(id);
    if (json) terminal.printJson({ ...deployment, changes });
    else terminal.print(`Deployment "${deployment.id}" is now production`);
  },
});

/** `null` = it takes the place of none. */
async function changesOf(client: ApiClient, id: string) {
  const { projectId } = await client.deployment(id);
  const now = (await client.deployments(projectId)).find(({ production }) => production);
  return now === undefined || now.id === id
    ? null
    : await compareDeployments(client, { from: now.id, to: id });
}

async function redeploy(client: ApiClient, id: string): Promise<ApiDeployment> {
  return await client.json({
    action: `redeploy deployment "${id}"`,
    method: "POST",
    path: deploymentPath(id, "redeploy"),
    json: { production: true },
  });
}
