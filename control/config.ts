import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { DEFAULT_LIMITS, type Limits } from "./model.ts";
import { nearest } from "./nearest.ts";

/** Where to listen. */
export interface Address {
  /** Without the brackets of an IPv6 literal. */
  hostname: string;
  /** 0 = any free port. */
  port: number;
}

/** What the server is started with: complete, checked, every default filled in. */
export interface Config {
  /** Absolute. */
  dataDir: string;
  httpAddr: Address;
  controlAddr: Address;
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
  /** Targets that isolates may reach though they are private, as "host:port" or "host". */
  allowPrivate: readonly string[];
  /** The machine's defaults, for what a deployment does not ask for. */
  limits: Limits;
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
const DAY_MS = 86_400_000;
const CONFIG_FILE = "isola.yaml";

const HOSTNAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const TARGET = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/i;
const HOST_PORT = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i;

/** Every setting by its name in `isola.yaml`; the flag is `--idle-timeout-ms`, the variable `ISOLA_IDLE_TIMEOUT_MS`. */
export const SETTINGS = {
  dataDir: { schema: text(/^[^\0]+$/, "a path"), default: "./.isola", help: "all durable state" },
  httpAddr: { schema: address(), default: "0.0.0.0:8000", help: "data plane, plain HTTP" },
  controlAddr: { schema: address(), default: "127.0.0.1:8001", help: "control API and health" },
  adminToken: {
    schema: text(/^[\w.~+/-]{1,256}=*$/, "letters, digits and - . _ ~ + /, as RFC 6750 has it"),
    help: "first access token; unset: generated at first start and printed once",
    secret: true,
  },
  baseDomain: { schema: hostname(), default: "localhost", help: "domain of the default URLs" },
  region: {
    schema: text(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "1 to 63 of a-z, 0-9 and, not at an end, -"),
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

/** What only the YAML file can say. */
const STRUCTURES = z.strictObject({
  egress: z.strictObject({ allowPrivate: z.array(target()) }).partial(),
  limits: z.strictObject({
    memoryMb: integer(32, 1024 ** 2),
    cpuBlockMs: integer(10, DAY_MS),
    cpuMsPerRequest: integer(1, DAY_MS),
    bootTimeoutMs: integer(100, DAY_MS),
    requestTimeoutMs: integer(0, DAY_MS),
    maxConcurrency: integer(1, 100_000),
  }).partial(),
}).partial();

/** Of the public contract, but to come: to ignore one in silence would pretend that it works. */
const LATER_SETTINGS = ["httpsAddr", "httpRedirect"];
const LATER_STRUCTURES = ["tls", "subhosting", "projects"];

/** Variables of the same prefix that the command line reads, and that of the file itself. */
const OTHER_VARIABLES = ["ISOLA_CONFIG", "ISOLA_URL", "ISOLA_TOKEN"];

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
  #structures: z.output<typeof STRUCTURES> = {};

  /** `label` is what the user calls the value; relative paths start at `folder`. */
  set(name: SettingName, raw: unknown, label: string, folder: string): void {
    const setting: Setting = SETTINGS[name];
    const { data, error } = setting.schema.safeParse(raw);
    const shown = setting.secret ? label : `${label} ${JSON.stringify(raw)}`;
    if (error) this.problems.push(`Cannot use ${shown}: ${error.issues[0]!.message}`);
    else this.#values[name] = name === "dataDir" ? resolve(folder, data as string) : data;
  }

  setStructures(raw: Record<string, unknown>, path: string): void {
    const { data, error } = STRUCTURES.safeParse(raw);
    this.#structures = data ?? {};
    for (const issue of error?.issues ?? []) {
      const key = issue.path.map(String).join(".");
      if (issue.code === "unrecognized_keys") {
        const known = key === "limits" ? Object.keys(DEFAULT_LIMITS) : ["allowPrivate"];
        for (const unknown of issue.keys) {
          this.refuseUnknown(`key "${key}.${unknown}" of ${path}`, unknown, known);
        }
      } else {this.problems.push(
          `Cannot use ${key} ${JSON.stringify(at(raw, issue.path))} of ${path}: ${issue.message}`,
        );}
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
    if (this.problems.length > 0) throw new ConfigError(this.problems);
    // Every setting with a default has been set by now.
    const values = this.#values as SettingValues;
    const { adminToken, maxIsolates } = this.#values as Partial<SettingValues>;
    return {
      ...values,
      adminToken,
      maxIsolates: maxIsolates ?? defaultMaxIsolates(memoryBytes),
      allowPrivate: this.#structures.egress?.allowPrivate ?? [],
      limits: { ...DEFAULT_LIMITS, ...this.#structures.limits },
    };
  }
}

const NOT_SUPPORTED = "not supported by this version yet";
const CONTRADICTION =
  'Cannot use isolation "shared" with sandbox "required": isolates that share a process are not ' +
  'protected from each other. Use isolation "process", or sandbox "auto" for trusted code';

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
    else if ([...LATER_SETTINGS, ...LATER_STRUCTURES].includes(key)) {
      draft.problems.push(`Cannot use ${key} of ${path}: ${NOT_SUPPORTED}`);
    } else draft.refuseUnknown(`key "${key}" of ${path}`, key, known);
  }
  draft.setStructures(structures, path);
}

function readEnvironment({ env, cwd }: ConfigSources, draft: Draft): void {
  const settings = new Map(names().map((name) => [variableName(name), name]));
  const later = LATER_SETTINGS.map(variableName);
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith("ISOLA_") || OTHER_VARIABLES.includes(variable)) continue;
    const name = settings.get(variable);
    if (value === "" && (name || later.includes(variable))) continue;
    if (name) draft.set(name, value, variable, cwd);
    else if (later.includes(variable)) {
      draft.problems.push(`Cannot use ${variable} "${value}": ${NOT_SUPPORTED}`);
    } else draft.refuseUnknown(`variable ${variable}`, variable, [...settings.keys(), ...OTHER_VARIABLES]);
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

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], value);
}

function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  const number = z.int({ error }).min(min, { error }).max(max, { error });
  return z.preprocess((raw) => typeof raw === "string" && /^\d{1,15}$/.test(raw) ? Number(raw) : raw, number);
}

function text(pattern: RegExp, allowed: string) {
  const error = `must be ${allowed}`;
  return z.string({ error }).regex(pattern, { error });
}

function oneOf<const Value extends string>(...values: Value[]) {
  return z.enum(values, { error: `must be ${values.map((value) => `"${value}"`).join(" or ")}` });
}

/** A host or address, of one port or of all. */
function target() {
  const error =
    'must be a host or an address, and a port if only that, such as "db.internal:5432" or "[fd00::1]:6379"';
  return z.string({ error }).refine((raw) => {
    const [, ipv6, host, port = "1"] = TARGET.exec(raw) ?? [];
    const valid = ipv6 === undefined ? HOSTNAME.test(host ?? "") : isIP(ipv6) === 6;
    return valid && Number(port) >= 1 && Number(port) <= 65_535;
  }, { error });
}

function hostname() {
  return text(HOSTNAME, 'a hostname, such as "apps.example.com"').transform((name) => name.toLowerCase());
}

function address() {
  const error = 'must be HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000"';
  return z.string({ error }).transform((raw, context): Address => {
    const [, ipv6, host, port] = HOST_PORT.exec(raw) ?? [];
    const isIpv4Like = /^[\d.]+$/.test(host ?? "");
    const valid = ipv6 ? isIP(ipv6) === 6 : isIpv4Like ? isIP(host!) === 4 : HOSTNAME.test(host ?? "");
    if (valid && Number(port) <= 65_535) {
      return { hostname: (ipv6 ?? host)!, port: Number(port) };
    }
    context.addIssue({ code: "custom", message: error });
    return z.NEVER;
  });
}
