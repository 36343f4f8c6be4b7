import type { IsolateInfo } from "../../model.ts";
import type { ApiHealth } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { ApiClient } from "../client.ts";
import { defineCommand } from "../command.ts";
import { formatBytes, formatElapsed, formatSince } from "../quantity.ts";
import type { Terminal } from "../terminal.ts";
import { unlessRefused } from "../unless_refused.ts";

/** Subhosters name their deployments as they like; --json has all of it. */
const MAX_NAME_LENGTH = 48;

/** `isola status`: the server, the layers around its isolates, and what the live ones use. */
export const status = defineCommand({
  name: "status",
  summary: "Show the server, its sandbox and its live isolates",
  usage: ["status"],
  options: {},
  remote: true,
  examples: ["isola status", "isola status --json"],
  async run({ client, json, terminal }) {
    const server = await client().health();
    const isolates = await readIsolates(client());
    if (!json) {
      printServer(terminal, server);
      if (isolates !== null) printIsolates(terminal, isolates);
      else terminal.note('Isolates are shown to access tokens with the role "admin" alone');
    }
    if (server.status !== "ok") throw new CliError("failed", `The server is not ready: "${server.status}"`);
    if (json) terminal.printJson({ server, isolates });
  },
});

/** `null` = the access token is not one of the machine. */
async function readIsolates(client: ApiClient): Promise<IsolateInfo[] | null> {
  return await unlessRefused(client.isolates(), { code: "forbidden", instead: null });
}

function printServer(terminal: Terminal, { sandbox, ...server }: ApiHealth): void {
  for (const [name, value] of Object.entries(server)) terminal.print(`${name.padEnd(10)} ${value}`);
  terminal.print(`${"sandbox".padEnd(10)} ${sandbox.level}: ${sandbox.detail}`);
  for (const sentence of sandbox.missing) terminal.print(`${"".padEnd(10)} missing: ${sentence}`, "yellow");
}

/** Those that used most first. */
function printIsolates(terminal: Terminal, isolates: readonly IsolateInfo[]): void {
  const memoryBytes = isolates.reduce((sum, isolate) => sum + isolate.memoryBytes, 0);
  terminal.print(`${"isolates".padEnd(10)} ${isolates.length} (${formatBytes(memoryBytes)})`);
  terminal.print("");
  const rows = isolates.toSorted((a, b) => b.cpuMs - a.cpuMs).map((isolate) => [
    shortName(isolate.deploymentId),
    isolate.state,
    isolate.pid,
    formatSince(isolate.startedAt),
    formatSince(isolate.lastRequestAt),
    isolate.requests,
    isolate.inFlight,
    formatElapsed(isolate.cpuMs),
    formatBytes(isolate.memoryBytes),
  ]);
  const header = ["DEPLOYMENT", "STATE", "PID", "AGE", "LAST", "REQUESTS", "IN FLIGHT", "CPU", "MEMORY"];
  terminal.printTable(header, rows);
}

function shortName(deploymentId: string): string {
  if (deploymentId.length <= MAX_NAME_LENGTH) return deploymentId;
  return `${deploymentId.slice(0, MAX_NAME_LENGTH - 1)}…`;
}
