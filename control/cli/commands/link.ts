import { resolve } from "node:path";
import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { existingProject } from "../existing_project.ts";
import { LINK_FILE, readLink, removeLink, saveLink } from "../folder_link.ts";

/** `isola link`: which project of which server a folder is. */
export const link = defineCommand({
  name: "link",
  summary: "Remember the project and server of a folder",
  usage: ["link [DIR]", "link [DIR] --project NAME", "link [DIR] --remove"],
  details:
    `Writes ${LINK_FILE}, which holds nothing secret, is never deployed, and may be committed. Commands in DIR and below\n` +
    "then need no --project, --url and --org; deploy uses it in DIR alone. Without --project: shows what is remembered.",
  options: {
    project: { type: "string", short: "p", value: "NAME", help: "project that the folder is" },
    remove: { type: "boolean", help: "forget it" },
  },
  remote: true,
  examples: [
    "isola link --project shop",
    "isola link ./shop --project shop --url https://control.example.com",
  ],
  async run({ options, positionals: [dir = "."], client, json, terminal, deps }) {
    const folder = resolve(deps.cwd, dir);
    if (options.remove) {
      const removed = removeLink(folder);
      if (json) return terminal.printJson({ folder, removed });
      return terminal.print(removed ? `"${folder}" is linked no more` : `"${folder}" was not linked`);
    }
    if (options.project === undefined) {
      const found = readLink(folder);
      if (found === undefined) {
        throw new CliError("failed", `"${folder}" is not linked: isola link --project NAME`);
      }
      if (json) return terminal.printJson({ folder, ...found });
      return terminal.print(`"${folder}" is project "${found.project}" on ${found.url}`);
    }
    const { name } = await existingProject(client(), options.project);
    const organization = await client().chosenOrganizationId();
    const linked = { url: client().url, project: name, ...(organization && { organization }) };
    const path = saveLink(folder, linked);
    if (json) terminal.printJson({ folder, ...linked });
    else terminal.print(`Linked "${folder}" to project "${name}" on ${linked.url}: see ${path}`);
  },
});
