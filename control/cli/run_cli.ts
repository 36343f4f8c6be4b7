import { parseArgs } from "node:util";
import type { Address, Config } from "../config/config.ts";
import { nearest } from "../text/nearest.ts";
import { CliError, EXIT_CODE } from "./cli_error.ts";
import { ApiClient } from "./client.ts";
import { type Command, COMMON_OPTIONS, optionsOf, parseCommandLine, REMOTE_OPTIONS } from "./command.ts";
import { resolveCredentials } from "./credentials.ts";
import { type FolderLink, linkedProject } from "./folder_link.ts";
import { commandHelp, overviewHelp } from "./help.ts";
import type { InputStream } from "./prompt.ts";
import { type OutputStream, Terminal } from "./terminal.ts";

/** A server that `serve` or `dev` started in this process. */
export interface RunningServer {
  /** Where the control API answers: "http://127.0.0.1:8001". */
  controlUrl: string;
  /** Of the data plane: what `httpAddr` asked for, with the port that it got. */
  http: Address;
  /** As `httpsAddr`; `null` = no TLS. */
  https: Address | null;
  /** The first access token if this start generated it: it can be shown only now. */
  generatedToken: string | undefined;
  /** The layers around an isolate: all of them in a line, and what this machine lacks. */
  sandbox: { level: string; detail: string; missing: readonly string[] };
  /** Aborted when a server that was started with `--take-over` has taken this one's place. */
  superseded: AbortSignal;
  /** Drains (finishes what is in flight, at most 10 s) and ends everything that it started. */
  close(): Promise<void>;
}

/** What the command line needs from the process around it. */
export interface CliDeps {
  env: Readonly<Record<string, string>>;
  /** Absolute. */
  cwd: string;
  stdin: InputStream;
  stdout: OutputStream;
  stderr: OutputStream;
  /** Aborted when the process shall end (SIGINT, SIGTERM). */
  signal: AbortSignal;
  /** What this machine, or the container around, has: the cap on isolates follows from it. */
  memoryBytes: number;
  version: string;
  /** The folder that `dev` serves when none is named. Absolute. */
  exampleDir: string;
  /** As {@linkcode CliDeps.exampleDir}, of `dev --subhosting`. */
  subhostingExampleDir: string;
  /** @throws with a message for the person at the terminal, such as an address in use */
  startServer(config: Config, options: { takeOver: boolean }): Promise<RunningServer>;
}

/** In the order of the help text. Each is loaded when it is asked for: few need the libraries of the server. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./commands/serve.ts")).serve,
  dev: async () => (await import("./commands/dev.ts")).dev,
  login: async () => (await import("./commands/login.ts")).login,
  link: async () => (await import("./commands/link.ts")).link,
  deploy: async () => (await import("./commands/deploy.ts")).deploy,
  projects: async () => (await import("./commands/projects.ts")).projects,
  deployments: async () => (await import("./commands/deployments.ts")).deployments,
  promote: async () => (await import("./commands/promote.ts")).promote,
  rollback: async () => (await import("./commands/rollback.ts")).rollback,
  env: async () => (await import("./commands/env.ts")).env,
  git: async () => (await import("./commands/git.ts")).git,
  domains: async () => (await import("./commands/domains.ts")).domains,
  logs: async () => (await import("./commands/logs.ts")).logs,
  analytics: async () => (await import("./commands/analytics.ts")).analytics,
  status: async () => (await import("./commands/status.ts")).status,
  tokens: async () => (await import("./commands/tokens.ts")).tokens,
  orgs: async () => (await import("./commands/orgs.ts")).orgs,
  audit: async () => (await import("./commands/audit.ts")).audit,
  subhosting: async () => (await import("./commands/subhosting.ts")).subhosting,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  backup: async () => (await import("./commands/backup.ts")).backup,
  restore: async () => (await import("./commands/restore.ts")).restore,
  trust: async () => (await import("./commands/trust.ts")).trust,
  completions: async () => (await import("./commands/completions.ts")).completions,
};

/** Every command, in the order of the help text. */
export function loadCommands(): Promise<Command[]> {
  return Promise.all(Object.values(COMMANDS).map((load) => load()));
}

/** Runs one command line (without the program's name); returns the exit code of {@linkcode EXIT_CODE}, 0 if it worked. */
export async function runCli(args: readonly string[], deps: CliDeps): Promise<number> {
  const terminal = new Terminal(deps);
  try {
    await dispatch(args, terminal, deps);
    return 0;
  } catch (error) {
    // The reader of a pipe has gone ("isola logs | head"): there is nobody to tell.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT_CODE.failed;
    const { code, message, printed } = asCliError(error, deps.signal);
    if (args.includes("--json") && !printed) terminal.printJson({ error: { code, message } });
    terminal.note(code === "interrupted" ? message : `error: ${message}`, "red");
    return EXIT_CODE[code];
  }
}

/** A refusal of the operating system has a message for people; anything else is a defect and keeps its stack. */
function asCliError(error: unknown, signal: AbortSignal): CliError {
  if (error instanceof CliError) return error;
  if (signal.aborted) return new CliError("interrupted", "Interrupted", { cause: error });
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return new CliError("failed", error.message, { cause: error });
  }
  throw error;
}

async function dispatch(args: readonly string[], terminal: Terminal, deps: CliDeps): Promise<void> {
  const { command, rest } = splitCommand(args);
  if (command === undefined || command === "help") {
    const { version } = parseCommandLine(command ? [] : rest, TOP_OPTIONS).values;
    const topic = command ? splitCommand(rest).command : undefined;
    if (version) return terminal.print(deps.version);
    const help = topic === undefined
      ? overviewHelp(await loadCommands())
      : commandHelp(await loadCommand(topic), terminal.columns);
    return terminal.print(help);
  }
  const found = await loadCommand(command);
  if (rest.includes("--help") || rest.includes("-h")) {
    return terminal.print(commandHelp(found, terminal.columns));
  }
  const { values, positionals } = parseCommandLine(rest, optionsOf(found));
  await run(found, { values, positionals }, terminal, deps);
}

const TOP_OPTIONS = {
  ...COMMON_OPTIONS,
  version: { type: "boolean", help: "show the version" },
} as const;

/** The first word that is not an option, nor the value of one that every command has. */
function splitCommand(args: readonly string[]): { command: string | undefined; rest: string[] } {
  const options = Object.fromEntries(
    Object.entries(REMOTE_OPTIONS).map(([name, { type }]) => [name, { type }]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const first = tokens.find(({ kind }) => kind === "positional");
  return {
    command: first && args[first.index],
    rest: args.filter((_, index) => index !== first?.index),
  };
}

async function loadCommand(name: string): Promise<Command> {
  if (Object.hasOwn(COMMANDS, name)) return await COMMANDS[name]!();
  const near = nearest(name, Object.keys(COMMANDS));
  throw new CliError(
    "usage",
    `Unknown command "${name}": ${near ? `did you mean "${near}"?` : "see isola --help"}`,
  );
}

async function run(
  command: Command,
  { values, positionals }: ReturnType<typeof parseCommandLine>,
  terminal: Terminal,
  deps: CliDeps,
): Promise<void> {
  let client: ApiClient | undefined;
  const openClient = (link: FolderLink | undefined) => {
    const flags = { url: values.url as string | undefined, token: values.token as string | undefined };
    const credentials = resolveCredentials(flags, deps.env, link);
    const linked = link?.url === credentials.url ? link.organization : undefined;
    const organization = (values.org as string | undefined) ?? (deps.env.ISOLA_ORG || linked);
    return new ApiClient({ ...credentials, organization, signal: deps.signal });
  };
  try {
    // The values were read by the command's own options, which is what its type says of them.
    const options = withLink(command, values, deps.cwd) as Parameters<Command["run"]>[0]["options"];
    await command.run({
      options,
      positionals,
      json: values.json === true,
      terminal,
      deps,
      client: (link) => client ??= openClient(link ?? linkedProject(deps.cwd)),
      commands: loadCommands,
    });
  } finally {
    client?.[Symbol.dispose]();
  }
}

type Values = ReturnType<typeof parseCommandLine>["values"];

/** A deployment is of its own project: beside it, the folder's is not filled in. */
function withLink(command: Command, values: Values, cwd: string): Values {
  const option = command.options.project;
  if (!option?.linked || isGiven(values.project) || isGiven(values.deployment)) return values;
  const link = linkedProject(cwd);
  return link ? { ...values, project: option.multiple ? [link.project] : link.project } : values;
}

function isGiven(value: Values[string]): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}
