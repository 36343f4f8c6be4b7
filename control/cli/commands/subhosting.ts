import type { SubhostedLog } from "../../model.ts";
import { chosenAction } from "../chosen_action.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand, type Options } from "../command.ts";
import { appLogLine, levelColor } from "../log_lines.ts";
import { checkedLevels, LOG_OPTIONS, logRange } from "../logs/log_options.ts";
import { LogTail } from "../logs/log_tail.ts";
import { CONFIG_OPTIONS, configOf } from "../server_options.ts";
import { listRefusedTokens, listSubhosters, subhosterLogPath } from "../subhosting/subhoster_calls.ts";
import {
  strangerTroubles,
  SUBHOSTER_HEADER,
  subhosterRow,
  subhosterTroubles,
} from "../subhosting/subhoster_lines.ts";
import { signTrialToken } from "../subhosting/trial_token.ts";
import { printable } from "../terminal.ts";

const OPTIONS = {
  deployment: {
    type: "string",
    short: "d",
    value: "ID",
    help: "logs: only lines of that deployment; sign: the one that the token is for",
  },
  ...LOG_OPTIONS,
  subhoster: { type: "string", value: "ID", help: "sign: whose token it is; without it, the only one's" },
  "rpc-root": {
    type: "string",
    value: "URL",
    help: "sign: where the deployment's code comes from; without it, the only one",
  },
  "expires-in": { type: "string", value: "TIME", help: "sign: seconds, or such as 15m (15m; at most 1d)" },
  config: CONFIG_OPTIONS.config!,
} as const satisfies Options;

type Context = CommandContext<typeof OPTIONS>;

/** `isola subhosting`: relays and origins, what their deployments print, and a token to try one with. */
export const subhosting = defineCommand({
  name: "subhosting",
  summary: "Show subhosters and their logs, sign a relay's token",
  usage: [
    "subhosting [list]",
    "subhosting logs SUBHOSTER [--deployment ID] [--follow] [OPTIONS]",
    "subhosting sign --deployment ID [--subhoster ID] [--rpc-root URL] [--expires-in TIME]",
  ],
  details:
    "Subhosters are configured in isola.yaml: each has a relay that sends requests here, and an origin that has the code.\n" +
    "sign makes what a relay sends as x-deno-subhost, with the secret of the configuration; it needs no server. Whoever\n" +
    "has the token may use the deployment until it expires.",
  options: OPTIONS,
  remote: true,
  examples: [
    "isola subhosting",
    "isola subhosting logs acme -f --deployment hello-1",
    'curl -H "x-deno-subhost: $(isola subhosting sign -d hello-1)" -H "x-forwarded-host: a.example" http://127.0.0.1:8000',
  ],
  async run(context) {
    const { positionals: [action = "list"] } = context;
    await chosenAction(action, { of: "subhosting", actions: { list, logs, sign } })(context);
  },
});

async function list({ client, json, terminal }: Context): Promise<void> {
  const all = await listSubhosters(client());
  if (json) return terminal.printJson(all);
  if (all.length === 0) return terminal.note("No subhosters are configured: see subhosting in isola.yaml");
  terminal.printTable(SUBHOSTER_HEADER, all.map(subhosterRow));
  const strangers = strangerTroubles(await listRefusedTokens(client()));
  for (const sentence of [...all.flatMap(subhosterTroubles), ...strangers]) terminal.note(sentence, "yellow");
}

async function logs({ client, positionals: [, id], options, deps, json, terminal }: Context): Promise<void> {
  if (!id) throw new CliError("usage", "Cannot show a log: name the SUBHOSTER");
  const range = logRange(options);
  const { grep: q, deployment } = options;
  const tail = new LogTail<SubhostedLog>({
    client: client(),
    source: { path: subhosterLogPath(id), query: { q, deployment, level: checkedLevels(options.level) } },
    lost: () => terminal.note("The connection was lost: trying again", "dim"),
  });
  for await (const line of options.follow ? tail.follow(range, deps.signal) : tail.past(range)) {
    if (json) terminal.print(JSON.stringify(line));
    else {
      const prefix = { text: `${printable(line.deploymentId)} `, color: "cyan" } as const;
      terminal.print(appLogLine(line), levelColor(line.level), prefix);
    }
  }
}

async function sign(context: Context): Promise<void> {
  const { options, json, terminal } = context;
  const signed = await signTrialToken({
    deploymentId: options.deployment,
    subhosterId: options.subhoster,
    rpcRoot: options["rpc-root"],
    lifetime: options["expires-in"],
  }, configOf(context, {}).subhosting);
  if (json) terminal.printJson(signed);
  else terminal.print(signed.token);
}
