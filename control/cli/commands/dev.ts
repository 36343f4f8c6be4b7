import { resolve } from "node:path";
import { type Address, address } from "../../config/values.ts";
import { serveSubhosting } from "../../dev/subhosting/serve_subhosting.ts";
import { watchAndDeploy } from "../../dev/watch_and_deploy.ts";
import { CliError } from "../cli_error.ts";
import { ApiClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { devDataDir, localCaDir } from "../local_state.ts";
import { CONFIG_OPTIONS, configOf, startServer } from "../server_options.ts";
import { realFolder } from "../snapshot/take_snapshot.ts";
import { DEPLOYMENT_OPTIONS, readVariables } from "./deploy.ts";

const RELAY_ADDR = "127.0.0.1:8002";

/** `isola dev`: a folder on a server of its own, redeployed on every save. */
export const dev = defineCommand({
  name: "dev",
  summary: "Serve a folder on this machine, redeployed on every save",
  usage: ["dev [DIR] [OPTIONS]", "dev --subhosting [DIR] [OPTIONS]"],
  details:
    "Runs the same server, isolates, limits and permissions as production, on loopback ports 8000 and 8001 unless\n" +
    "configured. State is kept under XDG_STATE_HOME or ~/.local/state, apart from DIR. Without DIR: the bundled example.\n\n" +
    "With --subhosting DIR is a copy of examples/subhosting: its relay.ts on port 8002 and its origin.ts run beside the\n" +
    "server, with a secret of their own. What is saved below deployments/ is another deployment at once.",
  options: {
    https: {
      type: "boolean",
      help: "serve by HTTPS, too, on 127.0.0.1:8443 unless configured: see isola trust",
    },
    subhosting: { type: "boolean", help: "run the relay and the origin of DIR, too" },
    "relay-addr": {
      type: "string",
      value: "HOST:PORT",
      help: `where the relay of --subhosting listens (${RELAY_ADDR})`,
    },
    ...DEPLOYMENT_OPTIONS,
    ...CONFIG_OPTIONS,
  },
  remote: false,
  examples: [
    "isola dev",
    "isola dev --https",
    "isola dev ./my-app --env-file .env",
    "isola dev . --http-addr 127.0.0.1:9000",
    "isola dev --subhosting",
  ],
  async run(context) {
    const { positionals: [dir, extra], terminal, deps } = context;
    if (extra !== undefined) {
      throw new CliError("usage", `Cannot serve "${extra}" as well: one folder at a time`);
    }
    const options = context.options as DevOptions;
    const { exampleDir, subhostingExampleDir } = deps;
    const example = options.subhosting ? subhostingExampleDir : exampleDir;
    const folder = realFolder(dir === undefined ? example : resolve(deps.cwd, dir));
    const config = configOf(context, {
      httpAddr: "127.0.0.1:8000",
      httpsAddr: options.https ? "127.0.0.1:8443" : undefined,
      dataDir: devDataDir(folder, deps.env),
    });
    const adminToken = config.adminToken ?? crypto.randomUUID();
    const caDir = localCaDir(deps.env) ?? config.localCaDir;
    const devConfig = { ...config, adminToken, localCaDir: caDir };
    if (options.https) {
      terminal.note('HTTPS is signed by a CA of this machine: "isola trust" has browsers trust it');
    }
    if (options.subhosting) {
      return await serveSubhosting(folder, {
        terminal,
        signal: deps.signal,
        relayAddr: relayAddress(options),
        startServer: (subhoster) => startServer(context, { ...devConfig, subhosting: [subhoster] }),
      });
    }
    const server = await startServer(context, devConfig);
    try {
      using client = new ApiClient({ url: server.controlUrl, token: adminToken, signal: deps.signal });
      await watchAndDeploy(folder, {
        client,
        terminal,
        signal: deps.signal,
        entrypoint: options.entrypoint,
        readVariables: () => readVariables(options, deps.cwd),
      });
    } finally {
      await server.close();
    }
  },
});

interface DevOptions {
  https: boolean;
  subhosting: boolean;
  "relay-addr": string | undefined;
  entrypoint: string | undefined;
  env: string[];
  "env-file": string[];
}

/** @throws {CliError} `usage`: the options do not go together, or it is no address */
function relayAddress(options: DevOptions): Address {
  const { entrypoint, env, "env-file": envFile, "relay-addr": given = RELAY_ADDR } = options;
  if (entrypoint !== undefined || env.length > 0 || envFile.length > 0) {
    throw new CliError(
      "usage",
      "Cannot use --entrypoint, --env or --env-file with --subhosting: each deployment has its config.json",
    );
  }
  const { data, error } = address().safeParse(given);
  if (error) throw new CliError("usage", `Cannot use --relay-addr "${given}": ${error.issues[0]!.message}`);
  return data;
}
