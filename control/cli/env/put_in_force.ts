import type { ApiDeployment } from "../api_shapes.ts";
import { CliError } from "../cli_error.ts";
import type { CommandContext } from "../command.ts";
import { showBuild } from "../deploy_snapshot.ts";
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
  const deployment = await showBuild(id, { client: client(), terminal, signal });
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
