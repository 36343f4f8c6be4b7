import type { DeploymentDiff, NamesDiff } from "../deployments/diff.ts";
import type { ApiDeployment } from "./api_shapes.ts";
import { type ApiClient, deploymentPath } from "./client.ts";
import { formatSince } from "./quantity.ts";
import { printable } from "./terminal.ts";

/** What `GET /v1/deployments/{id}/diff` is answered with. */
export interface ApiDeploymentDiff extends DeploymentDiff {
  from: ApiDeployment;
  to: ApiDeployment;
}

/** Paths of each kind that are shown. */
const MAX_PATHS = 10;

/** What would be different with deployment `to` in the place of `from`. */
export async function compareDeployments(
  client: ApiClient,
  { from, to }: { from: string; to: string },
): Promise<ApiDeploymentDiff> {
  return await client.json({
    action: `compare deployments "${from}" and "${to}"`,
    path: deploymentPath(from, "diff"),
    query: { to },
  });
}

/**
 * The same for people, a line each.
 *
 * @param redeployed Whether a new deployment of `to` would take the place, which gets the project's variables.
 */
export function* changeLines(diff: ApiDeploymentDiff, redeployed = false): Generator<string> {
  yield `now   ${describe(diff.from)}`;
  yield `then  ${describe(diff.to)}`;
  const { files, entrypoint, net } = diff;
  if (entrypoint) yield `entry point  ${entrypoint.from} -> ${entrypoint.to}`;
  const { added, changed, removed } = files.total;
  if (added + changed + removed > 0) {
    yield `files  ${added} added, ${changed} changed, ${removed} removed`;
    yield* pathLines("+", files.added, added);
    yield* pathLines("~", files.changed, changed);
    yield* pathLines("-", files.removed, removed);
  } else yield "files  the same";
  if (redeployed) yield "variables  those of production, as they are now";
  else yield* namesLine("variables", diff.variables);
  yield* namesLine("databases", diff.databases);
  for (const [name, { from, to }] of Object.entries(diff.limits)) {
    yield `${name}  ${from ?? "default"} -> ${to ?? "default"}`;
  }
  if (net) yield `may connect to  ${hosts(net.from)} -> ${hosts(net.to)}`;
  const { from: staying } = diff.attached;
  if (staying.length > 0) yield `stay with ${diff.from.id}  ${staying.join(" ")}`;
}

function describe({ id, createdAt, description, git, context }: ApiDeployment): string {
  const commit = git ? `${git.sha.slice(0, 8)} ${git.message.split("\n", 1)[0]}` : description ?? "";
  const variables = context === "preview" ? "variables of previews" : "";
  const words = [id, `${formatSince(createdAt)} old`, variables, printable(commit)];
  return words.filter((word) => word !== "").join("  ");
}

function* pathLines(sign: string, paths: readonly string[], total: number): Generator<string> {
  for (const path of paths.slice(0, MAX_PATHS)) yield `  ${sign} ${printable(path)}`;
  if (total > MAX_PATHS) yield `  ${sign} and ${total - MAX_PATHS} more`;
}

function* namesLine(what: string, { added, changed, removed }: NamesDiff): Generator<string> {
  const names = [
    ...added.map((name) => `+${name}`),
    ...changed.map((name) => `~${name}`),
    ...removed.map((name) => `-${name}`),
  ];
  if (names.length > 0) yield `${what}  ${names.join(" ")}`;
}

function hosts(net: readonly string[] | null): string {
  return net === null ? "all public hosts" : net.join(", ") || "none";
}
