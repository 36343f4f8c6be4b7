import type { GitProvider } from "../../model.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { existingProject } from "../existing_project.ts";
import {
  type ApiGitChanges,
  changeGitLink,
  deleteGitLink,
  readGitLink,
  syncGitLink,
} from "../git/git_calls.ts";
import { printBranches, printGitLink, printWebhook } from "../git/git_lines.ts";
import { readHidden } from "../prompt.ts";

const OPTIONS = {
  project: {
    type: "string",
    short: "p",
    value: "NAME",
    help: "project that follows the repository",
    linked: true,
  },
  branch: {
    type: "string",
    short: "b",
    value: "NAME",
    help: "production branch (default: the repository's)",
  },
  root: { type: "string", value: "DIR", help: "folder of the repository that is deployed" },
  entrypoint: { type: "string", value: "PATH", help: "entry point, relative to that folder" },
  build: { type: "string", value: "COMMAND", help: 'run before, such as "deno task build"; "" for none' },
  previews: { type: "string", value: "on|off", help: "whether the other branches are deployed, too" },
  provider: {
    type: "string",
    value: "NAME",
    help: "github, gitlab, gitea, forgejo or generic, if the URL does not tell",
  },
  "api-url": { type: "string", value: "URL", help: "the provider's API, if the URL does not tell" },
  username: { type: "string", value: "NAME", help: "user name that goes with the token" },
  "with-token": {
    type: "boolean",
    help: "ask for a token (or read one from a pipe): of a private repository, for commit statuses",
  },
  "renew-secret": { type: "boolean", help: "make a new secret for webhooks" },
} as const satisfies Record<string, Option>;

type Context = CommandContext<typeof OPTIONS>;

/** `isola git`: has a project follow a repository. */
export const git = defineCommand({
  name: "git",
  summary: "Follow a git repository: pushes are deployed",
  usage: [
    "git [show] --project NAME",
    "git link URL --project NAME [--branch NAME] [--with-token] [OPTIONS]",
    "git set --project NAME [OPTIONS]",
    "git sync --project NAME",
    "git unlink --project NAME",
  ],
  details:
    "A push to the production branch becomes the production, one to another branch a preview with an address of the\n" +
    'branch\'s own. A commit whose message has [skip ci] or [skip deploy] is not deployed. "link" shows the webhook to\n' +
    'register; until one arrives, the repository is looked at every few minutes, and "sync" looks at it now. The settings\n' +
    'of "set" are also those of commits that come with git push to this server itself, for which there is nothing to\n' +
    "link: git push http://CONTROL_ADDRESS/git/NAME.git, with an access token as the password.",
  options: OPTIONS,
  remote: true,
  examples: [
    "isola git link https://github.com/ada/shop --project shop",
    "isola git link https://gitlab.com/ada/shop --project shop --with-token < token",
    'isola git set --project shop --root apps/web --build "deno task build"',
    "isola git sync --project shop",
  ],
  async run(context) {
    const { positionals: [action = "show", ...rest] } = context;
    const act = chosenAction(action, { of: "git", actions: ACTIONS });
    await act(context, rest[0]);
  },
});

const ACTIONS: Record<string, (context: Context, url: string | undefined) => Promise<void>> = {
  async show({ options, client, json, terminal }) {
    const project = await existingProject(client(), options.project);
    const link = await readGitLink(client(), project);
    if (json) return terminal.printJson(link ?? null);
    if (link !== undefined) return printGitLink(link, terminal);
    terminal.note(
      `"${project.name}" follows no repository. Link one: isola git link URL --project ${project.name}\n` +
        `or push to this server: git push ${client().url}/git/${project.name}.git (the password is an access token)`,
    );
  },
  async link(context, url) {
    if (url === undefined) throw new CliError("usage", "Cannot link without the URL of a repository");
    const { options, client, json, terminal } = context;
    const project = await existingProject(client(), options.project);
    const linked = await changeGitLink(client(), project, { url, ...await changesOf(context) });
    if (!json) {
      terminal.note(`"${project.name}" follows ${linked.url}`, "green");
      printWebhook(linked, terminal);
    }
    const synced = await syncGitLink(client(), project);
    if (json) return terminal.printJson({ ...synced, webhook: linked.webhook });
    printBranches(synced, terminal);
  },
  async set(context) {
    const { options, client, json, terminal } = context;
    const project = await existingProject(client(), options.project);
    const changes = await changesOf(context);
    if (Object.keys(changes).length === 0) {
      throw new CliError("usage", "Nothing to set: see isola git --help");
    }
    const link = await changeGitLink(client(), project, changes);
    if (json) return terminal.printJson(link);
    printGitLink(link, terminal);
    if (link.webhook?.secret !== undefined) printWebhook(link, terminal);
  },
  async sync({ options, client, json, terminal }) {
    const project = await existingProject(client(), options.project);
    const link = await syncGitLink(client(), project);
    if (json) return terminal.printJson(link);
    printBranches(link, terminal);
  },
  async unlink({ options, client, json, terminal }) {
    const project = await existingProject(client(), options.project);
    await deleteGitLink(client(), project);
    if (json) return terminal.printJson(null);
    terminal.print(`"${project.name}" follows no repository any more; its deployments stay`);
  },
};

/** What the options change. */
async function changesOf(context: Context): Promise<ApiGitChanges> {
  const { branch, root, entrypoint, build, previews, provider, username } = context.options;
  const apiUrl = context.options["api-url"];
  if (previews !== undefined && previews !== "on" && previews !== "off") {
    throw new CliError("usage", `Cannot use --previews "${previews}": must be on or off`);
  }
  return {
    ...(branch === undefined ? {} : { productionBranch: branch || null }),
    ...(root === undefined ? {} : { rootDirectory: root }),
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint || null }),
    ...(build === undefined ? {} : { buildCommand: build || null }),
    ...(previews === undefined ? {} : { previews: previews === "on" }),
    ...(provider === undefined ? {} : { provider: provider as GitProvider }),
    ...(apiUrl === undefined ? {} : { apiUrl: apiUrl || null }),
    ...(context.options["with-token"] ? { credential: await askForCredential(context, username) } : {}),
    ...(context.options["renew-secret"] ? { renewSecret: true } : {}),
  };
}

async function askForCredential(
  context: Context,
  username: string | undefined,
): Promise<{ username?: string; token: string }> {
  const token = (await readHidden(context, "Token that may read the repository: ")).trim();
  if (token === "") throw new CliError("usage", "No token was given");
  return { token, ...(username === undefined ? {} : { username }) };
}
