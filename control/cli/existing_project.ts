import type { ApiProject } from "./api_shapes.ts";
import { CliError } from "./cli_error.ts";
import type { ApiClient } from "./client.ts";

/**
 * The project that `--project` names.
 *
 * @throws {CliError} none was named, or there is none of that name
 */
export async function existingProject(client: ApiClient, nameOrId: string | undefined): Promise<ApiProject> {
  if (!nameOrId) {
    throw new CliError(
      "usage",
      "No project is named: give one with --project, or link the folder to one: isola link --project NAME",
    );
  }
  const project = await client.findProject(nameOrId);
  if (!project) {
    throw new CliError(
      "failed",
      `Cannot find project "${nameOrId}": see isola projects, or make it: isola projects create ${nameOrId}`,
    );
  }
  return project;
}
