import {
  type Config,
  ConfigError,
  flagName,
  loadConfig,
  type SettingName,
  SETTINGS,
  variableName,
} from "../config/config.ts";
import { CliError } from "./cli_error.ts";
import type { CommandContext, Option } from "./command.ts";
import type { RunningServer } from "./run_cli.ts";

/** A flag for each setting of the server, apart from the secret ones. */
export const CONFIG_OPTIONS: Readonly<Record<string, Option>> = {
  config: { type: "string", value: "FILE", help: "YAML configuration (ISOLA_CONFIG; ./isola.yaml if there)" },
  ...Object.fromEntries(
    Object.entries(SETTINGS).filter(([, setting]) => !("secret" in setting)).map(([name, setting]) => {
      const fallback = "default" in setting ? `; ${setting.default}` : "";
      const help = `${setting.help} (${variableName(name)}${fallback})`;
      return [flagName(name), { type: "string", value: "VALUE", help } satisfies Option];
    }),
  ),
};

/** Those that say where a server's state is. */
export const STATE_OPTIONS: Readonly<Record<string, Option>> = Object.fromEntries(
  ["config", flagName("dataDir"), flagName("secretKeyFile")].map((name) => [name, CONFIG_OPTIONS[name]!]),
);

/**
 * The configuration of a command with {@linkcode CONFIG_OPTIONS}, or some of them; `defaults` is what the command prefers.
 *
 * @throws {CliError} `usage`, with every problem
 */
export function configOf(
  { options, deps }: Pick<CommandContext, "options" | "deps">,
  defaults: Partial<Record<SettingName, string>>,
): Config {
  const flags = Object.fromEntries(
    [...Object.keys(SETTINGS), "config"].map((name) => [name, options[flagName(name)] as string | undefined]),
  );
  try {
    const { env, cwd, memoryBytes } = deps;
    return loadConfig({ flags, env, cwd, memoryBytes, readFile: Deno.readTextFileSync, defaults });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CliError("usage", error.problems.join("\n       "), { cause: error });
  }
}

/** @throws {CliError} with the reason why the server does not start */
export async function startServer(
  { deps }: Pick<CommandContext, "deps">,
  config: Config,
  { takeOver = false }: { takeOver?: boolean } = {},
): Promise<RunningServer> {
  try {
    return await deps.startServer(config, { takeOver });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError("failed", `Cannot start the server: ${reason}`, { cause: error });
  }
}
