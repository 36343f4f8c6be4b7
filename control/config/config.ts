import { dirname, join, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import {
  completeStructures,
  knownNames,
  structureProblem,
  STRUCTURES,
  type Structures,
} from "./structures.ts";
import { readSubhosters } from "./subhosting_config.ts";
import {
  type Address,
  address,
  DAY_MS,
  hostname,
  hostnames,
  integer,
  oneOf,
  path,
  region,
  text,
} from "./values.ts";
import { DEFAULT_LIMITS, type Limits } from "../model.ts";
import { nearest } from "../text/nearest.ts";
import type { SubhosterConfig } from "../subhosting/model.ts";

export type { Address };

/** What the server is started with: complete, checked, every default filled in. */
export interface Config extends Structures {
  /** Absolute. */
  dataDir: string;
  /** Where the local CA is: absolute, made on first use. */
  localCaDir: string;
  /** Holds the key of secrets: absolute, made on first use. */
  secretKeyFile: string;
  httpAddr: Address;
  /** `undefined` = no TLS. */
  httpsAddr: Address | undefined;
  /** Plain HTTP sends visitors to HTTPS, where there is any. */
  httpRedirect: "on" | "off";
  controlAddr: Address;
  /** Under which the control address may be asked for, beside localhost and IP addresses. Lower case. */
  controlHostnames: readonly string[];
  /** `undefined` = generated at first start. */
  adminToken: string | undefined;
  /** Lower case. */
  baseDomain: string;
  region: string;
  idleTimeoutMs: number;
  maxIsolates: number;
  queueTimeoutMs: number;
  warmPool: number;
  isolation: "process" | "shared";
  sandbox: "auto" | "required" | "off";
  runners: number;
  /** The machine's defaults, for what a deployment does not ask for. */
  limits: Limits;
  /** Whose relays may send requests here, by different ids. */
  subhosting: readonly SubhosterConfig[];
}

/** Where {@linkcode loadConfig} looks; nothing else is read. */
export interface ConfigSources {
  /** `config` = path of the YAML file. */
  flags: Readonly<Partial<Record<SettingName | "config", string>>>;
  env: Readonly<Record<string, string>>;
  /** Returns a file's text; throws `Deno.errors.NotFound`. */
  readFile(path: string): string;
  /** Relative paths of flags and environment start here; those of the YAML file start beside it. */
  cwd: string;
  /** What this machine, or the container around, has. */
  memoryBytes: number;
  /** What a command prefers to the defaults of {@linkcode SETTINGS}; weaker than anything that the user says. */
  defaults?: Readonly<Partial<Record<SettingName, string>>>;
}

/** The configuration cannot be used. The message lists every problem, one a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/** One value that flags, environment and YAML may set. */
interface Setting {
  schema: z.ZodType;
  help: string;
  /** As the user would write it. Without it the value may stay unset. */
  default?: string;
  /** Its value is shown nowhere, and no flag sets it: other users of the machine could read it in the process list. */
  secret?: true;
}

/** Resident memory counted for one isolate when the cap follows from the memory: 16 MB when blank, an app's own on top. */
const TYPICAL_ISOLATE_BYTES = 64 * 1024 ** 2;
const MIN_DEFAULT_ISOLATES = 4;
const MAX_ISOLATES = 100_000;
const CONFIG_FILE = "isola.yaml";

/** Every setting by its name in `isola.yaml`; the flag is `--idle-timeout-ms`, the variable `ISOLA_IDLE_TIMEOUT_MS`. */
export const SETTINGS = {
  dataDir: { schema: path(), default: "./.isola", help: "all durable state" },
  secretKeyFile: {
    schema: path(),
    help: "key of secrets (default: secret.key in dataDir)",
  },
  httpAddr: { schema: address(), default: "0.0.0.0:8000", help: "data plane, plain HTTP" },
  httpsAddr: { schema: address(), help: "data plane, TLS (default: off)" },
  httpRedirect: {
    schema: oneOf("on", "off"),
    default: "on",
    help: "on: plain HTTP leads to HTTPS where there is a certificate",
  },
  controlAddr: { schema: address(), default: "127.0.0.1:8001", help: "control API and health" },
  controlHostnames: {
    schema: hostnames(),
    help: "names of the control address behind a proxy",
  },
  adminToken: {
    schema: text(/^[\w.~+/-]{1,256}=*$/, "letters, digits and - . _ ~ + /, as RFC 6750 has it"),
    help: "first access token; unset: generated at first start and printed once",
    secret: true,
  },
  baseDomain: { schema: hostname(), default: "localhost", help: "domain of the default URLs" },
  region: {
    schema: region(),
    default: "local",
    help: "name of this machine's region, DENO_REGION in isolates",
  },
  idleTimeoutMs: {
    schema: integer(1, DAY_MS),
    default: "60000",
    help: "an isolate idle for so long is ended",
  },
  maxIsolates: {
    schema: integer(1, MAX_ISOLATES),
    help: "live isolates on this machine (default: from memory)",
  },
  queueTimeoutMs: {
    schema: integer(0, DAY_MS),
    default: "5000",
    help: "how long a request waits for a place",
  },
  warmPool: { schema: integer(0, 1000), default: "2", help: "sandboxes kept started and blank" },
  isolation: {
    schema: oneOf("process", "shared"),
    default: "process",
    help: "process: one for each isolate; shared: one for all",
  },
  sandbox: {
    schema: oneOf("auto", "required", "off"),
    default: "auto",
    help: "layers of the OS: auto, required (all or no start), off",
  },
  runners: { schema: integer(1, 64), default: "1", help: "data-plane threads that share the port" },
} as const satisfies Record<string, Setting>;

/** Name of a setting, as in `isola.yaml`. */
export type SettingName = keyof typeof SETTINGS;
type SettingValues = { [Name in SettingName]: z.output<typeof SETTINGS[Name]["schema"]> };

const PATHS: readonly SettingName[] = ["dataDir", "secretKeyFile"];

/** Of the public contract, but to come: to ignore one in silence would pretend that it works. */
const LATER_STRUCTURES = ["projects"];

/** Variables of the same prefix that the command line reads, and that of the file itself. */
const OTHER_VARIABLES = ["ISOLA_CONFIG", "ISOLA_URL", "ISOLA_TOKEN", "ISOLA_ORG"];

/** The environment variable of a setting: "idleTimeoutMs" → "ISOLA_IDLE_TIMEOUT_MS". */
export function variableName(setting: string): string {
  return "ISOLA_" + setting.replace(/[A-Z]/g, (letter) => "_" + letter).toUpperCase();
}

/** The flag of a setting, without the dashes in front: "idleTimeoutMs" → "idle-timeout-ms". */
export function flagName(setting: string): string {
  return setting.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
}

/**
 * The configuration from, strongest first: flags, environment, YAML file, defaults (INTERFACE §1, §7). Every source
 * is checked, also where a stronger one wins. A variable set to nothing counts as unset.
 *
 * @throws {ConfigError} with every unknown name and every bad value
 */
export function loadConfig(sources: ConfigSources): Config {
  const draft = new Draft();
  for (const name of names()) {
    const value = sources.defaults?.[name] ?? (SETTINGS[name] as Setting).default;
    if (value !== undefined) draft.set(name, value, name, sources.cwd);
  }
  readConfigFile(sources, draft);
  readEnvironment(sources, draft);
  for (const name of names()) {
    const value = sources.flags[name];
    if (value !== undefined) draft.set(name, value, `--${flagName(name)}`, sources.cwd);
  }
  return draft.finish(sources.memoryBytes);
}

/** Values as they are read, weakest source first, and what is wrong with them. */
class Draft {
  readonly problems: string[] = [];
  readonly #values: Partial<Record<SettingName, unknown>> = {};
  #structures: Structures = completeStructures({}, "/");
  #subhosting: SubhosterConfig[] = [];

  /** `label` is what the user calls the value; relative paths start at `folder`. */
  set(name: SettingName, raw: unknown, label: string, folder: string): void {
    const setting: Setting = SETTINGS[name];
    const { data, error } = setting.schema.safeParse(raw);
    const shown = setting.secret ? label : `${label} ${JSON.stringify(raw)}`;
    if (error) this.problems.push(`Cannot use ${shown}: ${error.issues[0]!.message}`);
    else this.#values[name] = PATHS.includes(name) ? resolve(folder, data as string) : data;
  }

  setStructures(raw: Record<string, unknown>, path: string, readFile: ConfigSources["readFile"]): void {
    const { data, error } = STRUCTURES.safeParse(raw);
    const folder = dirname(path);
    this.#structures = completeStructures(data ?? {}, folder);
    const refuse = (problem: string) => this.problems.push(problem);
    this.#subhosting = readSubhosters(data?.subhosting ?? [], { folder, readFile, refuse });
    for (const issue of error?.issues ?? []) {
      if (issue.code !== "unrecognized_keys") this.problems.push(structureProblem(raw, issue, path));
      else {
        const key = issue.path.map(String).join(".");
        for (const unknown of issue.keys) {
          this.refuseUnknown(`key "${key}.${unknown}" of ${path}`, unknown, knownNames(issue.path));
        }
      }
    }
  }

  refuseUnknown(label: string, name: string, known: readonly string[]): void {
    const near = nearest(name, known);
    this.problems.push(
      `Unknown ${label}: ${near ? `did you mean "${near}"?` : `known are ${known.join(", ")}`}`,
    );
  }

  finish(memoryBytes: number): Config {
    const { isolation, sandbox } = this.#values;
    if (isolation === "shared" && sandbox === "required") this.problems.push(CONTRADICTION);
    if (isolation === "shared" && this.#subhosting.length > 0) this.problems.push(STRANGERS);
    const { acme, certificates } = this.#structures.tls;
    if (this.#values.httpsAddr === undefined && (acme !== null || certificates.length > 0)) {
      this.problems.push("Cannot use tls without httpsAddr: nothing would be served with its certificates");
    }
    if (this.problems.length > 0) throw new ConfigError(this.problems);
    // Every setting with a default has been set by now.
    const values = this.#values as SettingValues;
    const { adminToken, controlHostnames, httpsAddr, maxIsolates, secretKeyFile } = this
      .#values as Partial<SettingValues>;
    return {
      ...this.#structures,
      ...values,
      localCaDir: join(values.dataDir, "ca"),
      secretKeyFile: secretKeyFile ?? join(values.dataDir, "secret.key"),
      adminToken,
      controlHostnames: controlHostnames ?? [],
      httpsAddr,
      maxIsolates: maxIsolates ?? defaultMaxIsolates(memoryBytes),
      limits: { ...DEFAULT_LIMITS, ...this.#structures.limits },
      subhosting: this.#subhosting,
    };
  }
}

const NOT_SUPPORTED = "not supported by this version yet";
const CONTRADICTION =
  'Cannot use isolation "shared" with sandbox "required": isolates that share a process are not ' +
  'protected from each other. Use isolation "process", or sandbox "auto" for trusted code';
const STRANGERS =
  'Cannot use subhosting with isolation "shared": the code of subhosters\' customers would run in one process. ' +
  'Use isolation "process"';

function readConfigFile({ flags, env, readFile, cwd }: ConfigSources, draft: Draft): void {
  const named = flags.config ?? (env.ISOLA_CONFIG || undefined);
  const path = resolve(cwd, named ?? CONFIG_FILE);
  let content: unknown;
  try {
    content = parseYaml(readFile(path)) ?? {};
  } catch (error) {
    if (!named && error instanceof Deno.errors.NotFound) return;
    const [reason] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
    draft.problems.push(`Cannot read configuration "${path}": ${reason!.replace(/:$/, "")}`);
    return;
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    draft.problems.push(`Cannot read configuration "${path}": must be a mapping of names to values`);
    return;
  }
  const structures: Record<string, unknown> = {};
  const known = [...names(), ...Object.keys(STRUCTURES.shape)];
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    if (value === null) continue;
    if (key in SETTINGS) draft.set(key as SettingName, value, `${key} of ${path}`, dirname(path));
    else if (key in STRUCTURES.shape) structures[key] = value;
    else if (LATER_STRUCTURES.includes(key)) {
      draft.problems.push(`Cannot use ${key} of ${path}: ${NOT_SUPPORTED}`);
    } else draft.refuseUnknown(`key "${key}" of ${path}`, key, known);
  }
  draft.setStructures(structures, path, readFile);
}

function readEnvironment({ env, cwd }: ConfigSources, draft: Draft): void {
  const settings = new Map(names().map((name) => [variableName(name), name]));
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith("ISOLA_") || OTHER_VARIABLES.includes(variable)) continue;
    const name = settings.get(variable);
    if (value === "" && name) continue;
    if (name) draft.set(name, value, variable, cwd);
    else draft.refuseUnknown(`variable ${variable}`, variable, [...settings.keys(), ...OTHER_VARIABLES]);
  }
}

/** As many isolates as fit in three quarters of the memory at 64 MiB each, but at least 4. */
function defaultMaxIsolates(memoryBytes: number): number {
  const fitting = Math.floor(memoryBytes * 0.75 / TYPICAL_ISOLATE_BYTES);
  return Math.min(MAX_ISOLATES, Math.max(MIN_DEFAULT_ISOLATES, fitting));
}

function names(): SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}
