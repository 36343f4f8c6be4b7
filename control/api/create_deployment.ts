import type { z } from "zod";
import type { Manifest, Project, SourceOptions } from "../model.ts";
import { assertDeployable, submitDeployment } from "../deployments/submit.ts";
import type { DeploymentRecord, StoredBlob } from "../store/mod.ts";
import type { AssetTree } from "./asset_tree.ts";
import { type Assets, checkSizes, readAssets } from "./assets.ts";
import { createBody, domainProblem } from "./create_body.ts";
import type { ApiDeps } from "./deps.ts";
import { ApiError } from "./errors.ts";
import { readJson } from "./input.ts";
import { sourcePath } from "./source_path.ts";

type Body = z.infer<typeof createBody>;

/** The longest create body, whose assets may come with it. More goes up one by one before. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** Contents written at once. */
const PARALLEL_PUTS = 16;

/**
 * Reads and checks a create body, stores its contents, records the deployment and hands it to the build. Nothing is left
 * of one that is refused but contents, which are collected.
 *
 * @throws {ApiError} Why it is refused.
 */
export async function createDeployment(
  deps: ApiDeps,
  project: Project,
  request: Request,
): Promise<DeploymentRecord> {
  assertDeployable(project, deps);
  const body = await readJson(request, createBody, MAX_BODY_BYTES);
  const assets = readAssets(body.assets);
  const source = readSource(body, assets.tree);
  for (const [index, domain] of (body.domains ?? []).entries()) {
    const problem = domainProblem(domain, project.name, deps.baseDomain);
    if (problem !== null) throw new ApiError("badRequest", `Invalid request: "domains.${index}": ${problem}`);
  }
  const files = await storeAssets(deps, assets);
  return submitDeployment(deps, project.id, {
    description: body.description ?? "",
    source,
    files,
    env: body.envVars,
    net: readNet(body),
    limits: readLimits(body),
    domains: body.domains ?? null,
    production: body.production ?? null,
  });
}

function readSource(body: Body, tree: AssetTree): SourceOptions {
  const isFile = (path: string) => tree.isFile(path);
  const optional = (field: string, url: string | null | undefined) =>
    url === null || url === undefined || url === "" ? url ?? null : sourcePath(field, url, isFile);
  return {
    entrypoint: sourcePath("entryPointUrl", body.entryPointUrl, isFile),
    importMap: optional("importMapUrl", body.importMapUrl),
    lockFile: optional("lockFileUrl", body.lockFileUrl),
    compilerOptions: body.compilerOptions ?? null,
  };
}

/** `*` is all, and so is no list. */
function readNet({ permissions }: Body): string[] | null {
  const net = permissions?.net ?? null;
  return net === null || net.includes("*") ? null : [...new Set(net)];
}

function readLimits({ limits, requestTimeout }: Body): DeploymentRecord["limits"] {
  if (requestTimeout === null || requestTimeout === undefined) return limits ?? {};
  return { requestTimeoutMs: requestTimeout, ...limits };
}

async function storeAssets({ store }: ApiDeps, assets: Assets): Promise<Manifest> {
  const { found, missing } = store.blobs.byGitSha1([...assets.uploaded.values()]);
  if (missing.length > 0) {
    const message = `${missing.length} assets name content that was not uploaded`;
    throw new ApiError("assetsMissing", message, { missing });
  }
  const blobs = new Map<string, StoredBlob>();
  for (const [path, gitSha1] of assets.uploaded) blobs.set(path, found.get(gitSha1)!);
  checkSizes([
    ...[...assets.inline].map(([path, bytes]): [string, number] => [path, bytes.length]),
    ...[...blobs].map(([path, blob]): [string, number] => [path, blob.size]),
  ]);
  const inline = assets.inline.entries();
  const putNext = async () => {
    for (const [path, bytes] of inline) blobs.set(path, await store.blobs.put(bytes));
  };
  await Promise.all(Array.from({ length: PARALLEL_PUTS }, putNext));

  const files: Manifest = {};
  for (const [path, { sha256, size }] of blobs) files[path] = { kind: "file", sha256, size };
  for (const [path, target] of assets.symlinks) files[path] = { kind: "symlink", target };
  return files;
}
