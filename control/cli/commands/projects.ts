import type { ApiProject } from "../api_shapes.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient, ProjectChanges } from "../client.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { confirm } from "../prompt.ts";
import { formatSince } from "../quantity.ts";

/** `isola projects`: list, create, update, delete. */
export const projects = defineCommand({
  name: "projects",
  summary: "List, create, update and delete projects",
  usage: [
    "projects [list]",
    "projects create NAME [--untrusted]",
    "projects update NAME [--untrusted|--trusted] [--access-log on|off]",
    "projects delete NAME [--yes]",
  ],
  details:
    "A project's name is 3 to 26 of a-z, 0-9 and -. Deleting a project deletes its deployments, variables and logs; on a\n" +
    "terminal it is asked for first.",
  options: {
    untrusted: { type: "boolean", help: "its code is never run in a process with other deployments" },
    trusted: { type: "boolean", help: "its code is as your own" },
    "access-log": {
      type: "string",
      value: "on|off",
      help: 'record each request, for "isola logs --access"',
    },
    yes: { type: "boolean", short: "y", help: "do not ask before deleting" },
  },
  remote: true,
  examples: ["isola projects", "isola projects create hello", "isola projects update hello --untrusted"],
  async run(context) {
    const { positionals: [action = "list", name], json, terminal } = context;
    if (action === "list") return await list(context);
    const act = chosenAction(action, { of: "projects", actions: ACTIONS, besides: ["list"] });
    if (!name) throw new CliError("usage", `Cannot ${action} a project without its name`);
    const { done, project } = await act(context, name);
    if (json) terminal.printJson(project);
    else terminal.print(`${done} project "${project.name}"`);
  },
});

interface Settings {
  untrusted: boolean;
  trusted: boolean;
  "access-log": string | undefined;
  yes: boolean;
}
type Action = (
  context: Pick<CommandContext, "client" | "terminal" | "deps"> & { options: Settings },
  name: string,
) => Promise<{ done: string; project: ApiProject }>;

const ACTIONS: Record<string, Action> = {
  async create({ client, options: { untrusted } }, name) {
    return { done: "Created", project: await client().createProject(name, untrusted) };
  },
  async update({ client, options }, name) {
    const changes = changesOf(options, name);
    const project = await existing(client(), "update", name);
    return { done: "Updated", project: await client().updateProject(project, changes) };
  },
  async delete(context, name) {
    const { client, options } = context;
    const project = await existing(client(), "delete", name);
    if (!options.yes) {
      await confirm(context, `Delete project "${name}", its deployments, variables and logs?`);
    }
    await client().deleteProject(project);
    return { done: "Deleted", project };
  },
};

function changesOf({ untrusted, trusted, "access-log": accessLog }: Settings, name: string): ProjectChanges {
  if ((untrusted && trusted) || (accessLog !== undefined && !["on", "off"].includes(accessLog))) {
    const allowed = "either --untrusted or --trusted, and --access-log on or off";
    throw new CliError("usage", `Cannot update project "${name}": give ${allowed}`);
  }
  if (!untrusted && !trusted && accessLog === undefined) {
    throw new CliError(
      "usage",
      `Cannot update project "${name}": give --untrusted, --trusted or --access-log`,
    );
  }
  return {
    ...(untrusted || trusted ? { untrusted } : {}),
    ...(accessLog === undefined ? {} : { accessLog: accessLog === "on" }),
  };
}

async function existing(client: ApiClient, action: string, name: string): Promise<ApiProject> {
  const project = await client.findProject(name);
  if (!project) {
    throw new CliError("failed", `Cannot ${action} project "${name}": there is none of that name`);
  }
  return project;
}

async function list({ client, json, terminal }: CommandContext): Promise<void> {
  const all = await client().projects();
  if (json) return terminal.printJson(all);
  if (all.length === 0) return terminal.note("No projects yet. Make one: isola deploy DIR --project NAME");
  const rows = all.map(({ name, id, untrusted, createdAt, updatedAt }) => [
    name,
    untrusted ? "untrusted" : "trusted",
    formatSince(createdAt),
    formatSince(updatedAt),
    id,
  ]);
  terminal.printTable(["NAME", "TRUST", "AGE", "UPDATED", "ID"], rows);
}
