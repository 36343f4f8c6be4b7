import { resolve } from "node:path";
import type { DeploymentContext } from "../../model.ts";
import type { ApiProject } from "../api_shapes.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand, type Option } from "../command.ts";
import { formatDotenv, parseDotenv } from "../env/dotenv.ts";
import { putInForce } from "../env/put_in_force.ts";
import { type ApiVariableChange, changeVariables, listVariables } from "../env/variable_calls.ts";
import { diffVariables, oneOfEach, type VariablesDiff } from "../env/variables_diff.ts";
import { existingProject } from "../existing_project.ts";
import { confirm, readAll, readHidden } from "../prompt.ts";
import { formatSince } from "../quantity.ts";
import { printable } from "../terminal.ts";

const OPTIONS = {
  project: {
    type: "string",
    short: "p",
    value: "NAME",
    help: "project whose variables they are",
    linked: true,
  },
  context: {
    type: "string",
    value: "production|preview",
    help: "only for its production, or only for its previews",
  },
  secret: { type: "boolean", help: "the value is never shown again" },
  plain: { type: "boolean", help: "the new value may be shown, though the variable was secret" },
  yes: { type: "boolean", short: "y", help: "do not ask" },
  "no-redeploy": {
    type: "boolean",
    help: "leave the production as it is: the next deployment has the change",
  },
  "no-wait": { type: "boolean", help: "do not wait until the production has the change" },
} as const satisfies Record<string, Option>;

type EnvContext = CommandContext<typeof OPTIONS>;

const DEFAULT_FILE = ".env";
const STANDARD_STREAM = "-";
/** Of a value in a list. */
const MAX_SHOWN_CHARS = 60;

/** `isola env`: what the deployments of a project find in their environment. */
export const env = defineCommand({
  name: "env",
  summary: "List and change the environment variables of a project",
  usage: [
    "env [list] [--project NAME]",
    "env set NAME=VALUE… [--project NAME] [--secret|--plain] [--context CONTEXT]",
    "env set NAME [--project NAME]",
    "env unset NAME… [--project NAME]",
    "env pull [FILE] [--project NAME]",
    "env push [FILE] [--project NAME]",
  ],
  details:
    "A deployment has the variables that its project had when it was created. A change makes a new deployment of what is\n" +
    'the production, of the same files; the one before goes on until that serves. Of "set NAME" the value is asked for,\n' +
    'or read from a pipe, so that no shell remembers it. "pull" writes FILE (.env; "-" = standard output) without secret\n' +
    'values; "push" makes the variables what FILE says, shows first what that changes, and keeps secret ones that are\n' +
    "not in it.",
  options: OPTIONS,
  remote: true,
  examples: [
    "isola env set GREETING=hello LIMIT=5 --project shop",
    "isola env set DATABASE_URL --secret --context production --project shop < url.txt",
    "isola env pull --project shop",
    "isola env push .env.production --context production --project shop",
  ],
  async run(context) {
    const { positionals: [action = "list", ...rest] } = context;
    const act = chosenAction(action, { of: "env", actions: ACTIONS });
    await act(context, rest);
  },
});

const ACTIONS: Record<string, (context: EnvContext, rest: string[]) => Promise<void>> = {
  async list(context) {
    const { client, options, json, terminal } = context;
    const project = await existingProject(client(), options.project);
    const all = await listVariables(client(), project);
    if (json) return terminal.printJson(all);
    if (all.length === 0) {
      return terminal.note(`Project "${project.name}" has no variables yet: isola env set NAME=VALUE`);
    }
    const rows = all.map(({ name, value, contexts, updatedAt }) => [
      name,
      value === null ? "(secret)" : inOneLine(value),
      contexts.length > 1 ? "all" : contexts.join(),
      formatSince(updatedAt),
    ]);
    terminal.printTable(["NAME", "VALUE", "CONTEXT", "AGE"], rows);
  },

  async set(context, assignments) {
    if (assignments.length === 0) throw new CliError("usage", "Cannot set nothing: give NAME=VALUE or NAME");
    const { secret, plain } = context.options;
    if (secret && plain) throw new CliError("usage", "Cannot set a variable with both --secret and --plain");
    const kind = secret ? { secret: true } : plain ? { secret: false } : {};
    const contexts = contextsOf(context);
    const changes: Record<string, ApiVariableChange> = {};
    for (const [name, value] of await valuesOf(context, assignments)) {
      changes[name] = { value, ...kind, contexts };
    }
    const project = await existingProject(context.client(), context.options.project);
    await change(context, { project, changes, done: `Set ${Object.keys(changes).join(", ")}` });
  },

  async unset(context, names) {
    if (names.length === 0) throw new CliError("usage", "Cannot unset nothing: give NAME");
    const { client, options } = context;
    const contexts = contextsOf(context);
    const project = await existingProject(client(), options.project);
    const known = new Set((await listVariables(client(), project)).map(({ name }) => name));
    const unknown = names.find((name) => !known.has(name));
    if (unknown !== undefined) {
      throw new CliError(
        "failed",
        `Cannot unset "${unknown}": project "${project.name}" has no such variable`,
      );
    }
    const changes = Object.fromEntries(names.map((name) => [name, { value: null, contexts }]));
    await change(context, { project, changes, done: `Removed ${names.join(", ")}` });
  },

  async pull(context, [file = DEFAULT_FILE]) {
    const { client, options, json, terminal, deps } = context;
    const project = await existingProject(client(), options.project);
    const variables = oneOfEach(await listVariables(client(), project), contextsOf(context));
    const { text, hidden, unwritable } = formatDotenv(variables);
    if (file === STANDARD_STREAM) terminal.print(text.trimEnd());
    else {
      await writeFile(context, resolve(deps.cwd, file), text);
      const count = variables.length - hidden.length - unwritable.length;
      if (json) terminal.printJson({ file, count, hidden, unwritable });
      else terminal.print(`Wrote ${count} variables of "${project.name}" to ${file}`);
    }
    if (hidden.length > 0) terminal.note(`Left out, as they are secret: ${hidden.join(", ")}`, "yellow");
    if (unwritable.length > 0) {
      terminal.note(`Left out, as no such file can have their values: ${unwritable.join(", ")}`, "yellow");
    }
  },

  async push(context, [file = DEFAULT_FILE]) {
    const { client, options, terminal } = context;
    const contexts = contextsOf(context);
    const variables = parseDotenv(await readFile(context, file));
    const project = await existingProject(client(), options.project);
    const current = await listVariables(client(), project);
    const diff = diffVariables(current, variables, { contexts, secret: options.secret });
    for (const line of diffLines(diff)) terminal.note(line);
    if (Object.keys(diff.changes).length > 0 && !options.yes && file !== STANDARD_STREAM) {
      await confirm(context, `Change these variables of "${project.name}"?`);
    }
    const done = `Project "${project.name}" has the variables of ${file}`;
    await change(context, { project, changes: diff.changes, done });
  },
};

async function change(
  context: EnvContext,
  { project, changes, done }: {
    project: ApiProject;
    changes: Record<string, ApiVariableChange>;
    done: string;
  },
): Promise<void> {
  const { client, options, json, terminal } = context;
  const redeploy = !options["no-redeploy"];
  const { variables, deployment, overridden } = await changeVariables(client(), project, {
    changes,
    redeploy,
  });
  terminal.note(done, "green");
  if (overridden.length > 0) {
    terminal.note(
      `The production was deployed with its own ${overridden.join(", ")}, which it keeps`,
      "yellow",
    );
  }
  const renewed = deployment && !options["no-wait"] ? await putInForce(context, deployment) : deployment;
  if (json) return terminal.printJson({ variables, deployment: renewed, overridden });
  if (renewed !== null) terminal.print(renewed.id);
  else terminal.note("No deployment was made: the next one has these variables");
}

function contextsOf({ options: { context } }: EnvContext): DeploymentContext[] {
  if (context === undefined) return ["production", "preview"];
  if (context === "production" || context === "preview") return [context];
  throw new CliError("usage", `Cannot use --context "${context}": must be production or preview`);
}

/** Of a name alone, the value is what standard input says. */
async function valuesOf(context: EnvContext, assignments: readonly string[]): Promise<[string, string][]> {
  const { stdin } = context.deps;
  const asked = assignments.filter((one) => !one.includes("="));
  if (asked.length > 1 && !stdin.isTerminal()) {
    throw new CliError("usage", `Cannot read the values of ${asked.join(", ")} from one pipe: one at a time`);
  }
  const values: [string, string][] = [];
  for (const assignment of assignments) {
    const [, name, value] = /^([^=]*)=([^]*)$/.exec(assignment) ?? [];
    if (name !== undefined) values.push([name, value!]);
    else {
      const given = await readHidden(context, `Value of ${assignment}: `);
      if (given === "") {
        throw new CliError(
          "usage",
          `Cannot set "${assignment}": no value was given. ${assignment}= sets an empty one`,
        );
      }
      values.push([assignment, given]);
    }
  }
  return values;
}

/** A value as far as it fits a table. */
function inOneLine(value: string): string {
  const line = printable(value).replaceAll("\n", "\\n");
  return line.length > MAX_SHOWN_CHARS ? `${line.slice(0, MAX_SHOWN_CHARS)}…` : line;
}

function* diffLines({ added, changed, removed, kept }: VariablesDiff): Generator<string> {
  for (const name of added) yield `+ ${name}`;
  for (const name of changed) yield `~ ${name}`;
  for (const name of removed) yield `- ${name}`;
  for (const name of kept) yield `  ${name} (secret, kept)`;
  if (added.length + changed.length + removed.length === 0) yield "All variables are as the file says";
}

async function readFile({ deps }: EnvContext, file: string): Promise<string> {
  if (file === STANDARD_STREAM) return await readAll({ deps });
  try {
    return await Deno.readTextFile(resolve(deps.cwd, file));
  } catch (cause) {
    throw new CliError("usage", `Cannot read "${file}": ${(cause as Error).message}`, { cause });
  }
}

/** Readable by its owner alone; what is there already is replaced only if somebody says so. */
async function writeFile(context: EnvContext, path: string, text: string): Promise<void> {
  const write = async (createNew: boolean) => {
    // The mode of a file that is there stays as it is when it is written. It may not be there.
    if (!createNew) await Deno.chmod(path, 0o600).catch(() => {});
    await Deno.writeTextFile(path, text, { createNew, mode: 0o600 });
  };
  try {
    await write(!context.options.yes);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) {
      throw new CliError("failed", `Cannot write "${path}": ${(cause as Error).message}`, { cause });
    }
    if (!context.deps.stdin.isTerminal()) {
      throw new CliError("failed", `Cannot write "${path}": there is such a file; --yes replaces it`, {
        cause,
      });
    }
    await confirm(context, `Replace "${path}"?`);
    await write(false);
  }
}
