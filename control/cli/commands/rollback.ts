import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { existingProject } from "../existing_project.ts";

/** `isola rollback`: promotes the successful deployment before the one that is production. */
export const rollback = defineCommand({
  name: "rollback",
  summary: "Go back to the successful deployment before the present production",
  usage: ["rollback --project NAME"],
  options: { project: { type: "string", short: "p", value: "NAME", help: "project to roll back" } },
  remote: true,
  examples: ["isola rollback --project hello"],
  async run({ options, client, json, terminal }) {
    const project = await existingProject(client(), options.project);
    const newestFirst = await client().deployments(project.id);
    const current = newestFirst.findIndex(({ production }) => production);
    if (current < 0) {
      throw new CliError("failed", `Cannot roll back "${project.name}": it has no production deployment`);
    }
    const previous = newestFirst.slice(current + 1).find(({ status }) => status === "success");
    if (!previous) {
      throw new CliError("failed", `Cannot roll back "${project.name}": no successful deployment is older`);
    }
    const deployment = await client().promote(previous.id);
    if (json) terminal.printJson(deployment);
    else {terminal.print(
        `Deployment "${previous.id}" is production again, instead of "${newestFirst[current]!.id}"`,
      );}
  },
});
