import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { formatBytes, formatElapsed, formatSince } from "../quantity.ts";
import { table } from "../table.ts";

/** `isola status`: the server, and the isolates that live on it. */
export const status = defineCommand({
  name: "status",
  summary: "Show the server and its live isolates",
  usage: ["status"],
  options: {},
  remote: true,
  examples: ["isola status", "isola status --json"],
  async run({ client, json, terminal }) {
    const server = await client().health();
    const isolates = await client().isolates();
    if (json) terminal.printJson({ server, isolates });
    else {
      for (const [name, value] of Object.entries(server)) {
        terminal.print(`${name.padEnd(10)} ${typeof value === "object" ? JSON.stringify(value) : value}`);
      }
      const rows = isolates.map((isolate) => [
        isolate.deploymentId,
        isolate.state,
        isolate.pid,
        formatSince(isolate.startedAt),
        formatSince(isolate.lastRequestAt),
        isolate.requests,
        isolate.inFlight,
        formatElapsed(isolate.cpuMs),
        formatBytes(isolate.memoryBytes),
      ]);
      terminal.print("");
      const header = ["DEPLOYMENT", "STATE", "PID", "AGE", "LAST", "REQUESTS", "IN FLIGHT", "CPU", "MEMORY"];
      for (const line of table(header, rows)) terminal.print(line);
    }
    if (server.status !== "ok") throw new CliError("failed", `The server is not ready: "${server.status}"`);
  },
});
