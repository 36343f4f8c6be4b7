import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";

/** `isola promote`: makes a deployment its project's production. */
export const promote = defineCommand({
  name: "promote",
  summary: "Make a deployment the production of its project",
  usage: ["promote ID"],
  options: {},
  remote: true,
  examples: ["isola promote a1b2c3d4e5f6"],
  async run({ positionals: [id], client, json, terminal }) {
    if (!id) throw new CliError("usage", "Cannot promote a deployment without its id: see isola deployments");
    const deployment = await client().promote(id);
    if (json) terminal.printJson(deployment);
    else terminal.print(`Deployment "${id}" is now production`);
  },
});
