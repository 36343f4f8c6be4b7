import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { changeLines, compareDeployments } from "../deployment_changes.ts";
import { existingProject } from "../existing_project.ts";
import { confirm } from "../prompt.ts";

/** `isola rollback`: promotes the newest deployment that was production and is older than the one that is. */
export const rollback = defineCommand({
  name: "rollback",
  summary: "Go back to the production before the present one",
  usage: ["rollback --project NAME [--yes]"],
  details:
    "Shows what that changes (files, variables, limits, domains) and, on a terminal, asks. Goes to the newest deployment\n" +
    "that is older and was the production before, never to a preview. To any other: isola promote ID.",
  options: {
    project: { type: "string", short: "p", value: "NAME", help: "project to roll back", linked: true },
    yes: { type: "boolean", short: "y", help: "do not ask" },
  },
  remote: true,
  examples: ["isola rollback --project hello"],
  async run(context) {
    const { options, client, json, terminal } = context;
    const project = await existingProject(client(), options.project);
    const newestFirst = await client().deployments(project.id);
    const current = newestFirst.findIndex(({ production }) => production);
    const now = newestFirst[current];
    if (now === undefined) {
      throw new CliError("failed", `Cannot roll back "${project.name}": it has no production deployment`);
    }
    const previous = newestFirst.slice(current + 1).find(({ promotedAt }) => promotedAt !== null);
    if (!previous) {
      throw new CliError(
        "failed",
        `Cannot roll back "${project.name}": no older deployment was its production. Another: isola promote ID`,
      );
    }
    const changes = await compareDeployments(client(), { from: now.id, to: previous.id });
    for (const line of changeLines(changes)) terminal.note(line);
    if (!options.yes) await confirm(context, `Make "${previous.id}" the production of "${project.name}"?`);
    const deployment = await client().promote(previous.id);
    if (json) return terminal.printJson({ ...deployment, changes });
    terminal.print(`Deployment "${previous.id}" is production again, instead of "${now.id}"`);
  },
});
