import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { formatSince } from "../quantity.ts";
import { table } from "../table.ts";

/** `isola projects`: list, create, delete. */
export const projects = defineCommand({
  name: "projects",
  summary: "List, create and delete projects",
  usage: ["projects [list]", "projects create NAME", "projects delete NAME"],
  details: "A project's name is 3 to 26 of a-z, 0-9 and -. Deleting a project deletes its deployments.",
  options: {},
  remote: true,
  examples: ["isola projects", "isola projects create hello", "isola projects delete hello"],
  async run(context) {
    const { positionals: [action = "list", name], json, terminal } = context;
    if (action === "list") return await list(context);
    if (action !== "create" && action !== "delete") {
      throw new CliError("usage", `Unknown action "${action}" of projects: known are list, create, delete`);
    }
    if (!name) throw new CliError("usage", `Cannot ${action} a project without its name`);
    const client = context.client();
    const project = action === "create" ? await client.createProject(name) : await client.findProject(name);
    if (!project) throw new CliError("failed", `Cannot delete project "${name}": there is none of that name`);
    if (action === "delete") await client.deleteProject(project);
    if (json) terminal.printJson(project);
    else terminal.print(`${action === "create" ? "Created" : "Deleted"} project "${project.name}"`);
  },
});

async function list({ client, json, terminal }: CommandContext): Promise<void> {
  const all = await client().projects();
  if (json) return terminal.printJson(all);
  if (all.length === 0) return terminal.note("No projects yet. Make one: isola deploy DIR --project NAME");
  const rows = all.map(({ name, id, createdAt, updatedAt }) => [
    name,
    id,
    formatSince(createdAt),
    formatSince(updatedAt),
  ]);
  for (const line of table(["NAME", "ID", "AGE", "UPDATED"], rows)) terminal.print(line);
}
