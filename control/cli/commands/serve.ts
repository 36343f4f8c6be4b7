import { isLocalName } from "../../certificates/local_names.ts";
import type { Config } from "../../config/config.ts";
import { weakSecrets } from "../../config/subhosting_config.ts";
import { defineCommand } from "../command.ts";
import type { RunningServer } from "../run_cli.ts";
import { CONFIG_OPTIONS, configOf, startServer } from "../server_options.ts";

/** `isola serve`: control plane and data plane on this machine, until it is told to stop. */
export const serve = defineCommand({
  name: "serve",
  summary: "Run the server: control plane and data plane on this machine",
  usage: ["serve [OPTIONS]"],
  details:
    "Strongest first: flags, environment, YAML file, defaults. The first access token is ISOLA_ADMIN_TOKEN or,\n" +
    "if that is not set, one that is generated at first start and printed once. SIGTERM and Ctrl-C finish what is in\n" +
    "flight, at most 10 s, and exit with 0.\n\n" +
    "--take-over is for upgrades: visitors see none of it. If the new server does not come up, the old one goes on.",
  options: {
    ...CONFIG_OPTIONS,
    "take-over": {
      type: "boolean",
      help: "replace the server that runs with this data directory, if there is one",
    },
  },
  remote: false,
  examples: ["isola serve", "isola serve --data-dir /var/lib/isola --base-domain apps.example.com"],
  async run(context) {
    const { deps, terminal } = context;
    const config = configOf(context, {});
    const server = await startServer(context, config, { takeOver: context.options["take-over"] });
    try {
      terminal.note(`Isola ${deps.version}`, "bold");
      terminal.note(
        `  apps     http://*.${config.baseDomain}:${server.http.port} (on ${server.http.hostname})`,
      );
      if (server.https !== null) {
        const { hostname, port } = server.https;
        terminal.note(`  https    https://*.${config.baseDomain}:${port} (on ${hostname})`);
        if (!hasCertificates(config)) {
          terminal.note(
            "           with certificates that are uploaded only: tls of isola.yaml orders them, or names your own",
            "yellow",
          );
        }
      }
      terminal.note(`  control  ${server.controlUrl}`);
      terminal.note(`  data     ${config.dataDir}`);
      const { level, detail, missing } = server.sandbox;
      terminal.note(`  sandbox  ${level}: ${detail}`);
      for (const sentence of missing) terminal.note(`           ${sentence}`, "yellow");
      if (config.isolation === "shared") {
        terminal.note(
          "           isolates share a process: only for code that you trust as your own",
          "yellow",
        );
      }
      if (config.subhosting.length > 0) {
        terminal.note(`  relays   of ${config.subhosting.map(({ id }) => id).join(", ")}`);
        for (const sentence of weakSecrets(config.subhosting)) {
          terminal.note(`           ${sentence}`, "yellow");
        }
      }
      if (server.generatedToken) {
        terminal.note(`  token    ${server.generatedToken}  (shown once: keep it)`, "yellow");
      }
      terminal.note(
        `Deploy a folder: ISOLA_TOKEN=… deno run -A mod.ts deploy DIR --project NAME${urlFlag(server)}`,
      );
      await Promise.race([aborted(deps.signal), aborted(server.superseded)]);
      const why = server.superseded.aborted ? "Another server has taken over" : "Stopping";
      terminal.note(`${why}: finishing what is in flight`);
    } finally {
      await server.close();
    }
  },
});

/** Whether there are others than those that are uploaded. */
function hasCertificates({ tls, baseDomain }: Config): boolean {
  return tls.acme !== null || tls.certificates.length > 0 || isLocalName(baseDomain);
}

/** Resolves once `signal` is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function urlFlag({ controlUrl }: RunningServer): string {
  return controlUrl === "http://127.0.0.1:8001" ? "" : ` --url ${controlUrl}`;
}
