import type { ApiDeployment } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { CommandContext } from "../command.ts";
import { followBuild } from "../deploy_snapshot.ts";
import { buildLogLine, levelColor } from "../log_lines.ts";
import { formatElapsed } from "../quantity.ts";

/**
 * Waits until a deployment with other variables is the production.
 *
 * @throws {CliError} `failed`: it does not start; the production is as before
 */
export async function putInForce(
  { client, terminal, deps: { signal } }: Pick<CommandContext, "client" | "terminal" | "deps">,
  { id }: ApiDeployment,
): Promise<ApiDeployment> {
  const startedAt = performance.now();
  terminal.note(`Starting deployment ${id} with these variables`);
  const deployment = await followBuild(id, {
    client: client(),
    signal,
    onLog: (line) => terminal.note(buildLogLine(line), levelColor(line.level)),
  });
  if (deployment.status === "failed") {
    throw new CliError(
      "failed",
      `Deployment "${id}" does not start with these variables, as its log above says: the one before goes on. ` +
        "Change them again, or deploy a program that takes them",
    );
  }
  terminal.note(`In force after ${formatElapsed(performance.now() - startedAt)}`, "green");
  return deployment;
}
