import { resolve } from "node:path";
import { watchAndDeploy } from "../../dev/watch_and_deploy.ts";
import { CliError } from "../cli_error.ts";
import { ApiClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { devDataDir, localCaDir } from "../local_state.ts";
import { CONFIG_OPTIONS, configOf, startServer } from "../server_options.ts";
import { realFolder } from "../snapshot/take_snapshot.ts";
import { DEPLOYMENT_OPTIONS, readVariables } from "./deploy.ts";

/** `isola dev`: a folder on a server of its own, redeployed on every save. */
export const dev = defineCommand({
  name: "dev",
  summary: "Serve a folder on this machine, redeployed on every save",
  usage: ["dev [DIR] [OPTIONS]"],
  details:
    "Runs the same server, isolates, limits and permissions as production, on loopback ports 8000 and 8001 unless\n" +
    "configured. State is kept under XDG_STATE_HOME or ~/.local/state, apart from DIR. Without DIR: the bundled example.",
  options: {
    https: {
      type: "boolean",
      help: "serve by HTTPS, too, on 127.0.0.1:8443 unless configured: see isola trust",
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
  ],
  async run(context) {
    const { positionals: [dir, extra], terminal, deps } = context;
    if (extra !== undefined) {
      throw new CliError("usage", `Cannot serve "${extra}" as well: one folder at a time`);
    }
    const folder = realFolder(dir === undefined ? deps.exampleDir : resolve(deps.cwd, dir));
    const options = context.options as {
      https: boolean;
      entrypoint: string | undefined;
      env: string[];
      "env-file": string[];
    };
    const config = configOf(context, {
      httpAddr: "127.0.0.1:8000",
      httpsAddr: options.https ? "127.0.0.1:8443" : undefined,
      dataDir: devDataDir(folder, deps.env),
    });
    const adminToken = config.adminToken ?? crypto.randomUUID();
    const caDir = localCaDir(deps.env) ?? config.localCaDir;
    const server = await startServer(context, { ...config, adminToken, localCaDir: caDir });
    try {
      if (options.https) {
        terminal.note('HTTPS is signed by a CA of this machine: "isola trust" has browsers trust it');
      }
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
