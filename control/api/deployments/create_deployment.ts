import type { z } from "zod";
import { isManifestPath } from "../../build/manifest_path.ts";
import { assertDeployable, submitDeployment } from "../../deployments/submit.ts";
import { MAX_FILES, type SourceOptions } from "../../model.ts";
import type { DeploymentRecord } from "../../store/mod.ts";
import type { AssetTree } from "./asset_tree.ts";
import { AssetIntake } from "./create_assets.ts";
import { createBody, readLimits, readNet } from "./create_body.ts";
import { checkDomains, type Deployer } from "./create_domains.ts";
import { checkDatabases } from "../projects/databases.ts";
import type { ApiDeps } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { bodyText, check } from "../input.ts";
import { JsonReader } from "./json_reader.ts";
import { sourcePath } from "./source_path.ts";

type Body = z.infer<typeof createBody>;

/** The longest create body, whose assets may come with it. More goes up one by one before. */
const MAX_BODY_BYTES = 2 ** 31;
/** Characters of everything in a body but the contents of assets: mostly of the paths of the most files there may be. */
const MAX_FIELDS_LENGTH = 32 * 2 ** 20;
/** Keys and values: of each asset, two for itself and two for each of its few fields; and some more. */
const MAX_VALUES = 16 * MAX_FILES;
/** Bodies that are taken in at once; more are refused. */
const MAX_CREATIONS = 64;

const partialBody = createBody.partial();

let creations = 0;

/**
 * Reads and checks a create body while it arrives, stores its contents, records the deployment and hands it to the build.
 * Nothing is left of one that is refused but contents, which are collected.
 *
 * @throws {ApiError} Why it is refused.
 */
export async function createDeployment(
  deps: ApiDeps,
  deployer: Deployer,
  request: Request,
): Promise<DeploymentRecord> {
  const { project } = deployer;
  assertDeployable(project, deps);
  if (creations >= MAX_CREATIONS) {
    throw new ApiError("overloaded", `${MAX_CREATIONS} deployments are being created: try again`);
  }
  creations++;
  try {
    await using assets = new AssetIntake(deps.store.blobs, project.id);
    const body = await readBody(deps, deployer, request, assets);
    const { files, tree } = await assets.finish();
    return submitDeployment(deps, project.id, {
      description: body.description ?? "",
      source: readSource(body, tree),
      files,
      env: body.envVars,
      databases: body.databases ?? {},
      net: readNet(body.permissions),
      limits: readLimits(body),
      domains: body.domains ?? null,
      production: body.production ?? null,
    });
  } finally {
    creations--;
  }
}

/** What comes before the assets is checked before any of them is read. */
async function readBody(
  deps: ApiDeps,
  deployer: Deployer,
  request: Request,
  assets: AssetIntake,
): Promise<Body> {
  await using text = new JsonReader(bodyText(request, MAX_BODY_BYTES), {
    maxHeld: MAX_FIELDS_LENGTH,
    maxValues: MAX_VALUES,
  });
  const fields = new Map<string, unknown>();
  const checkFields = <Schema extends z.ZodType<Partial<Body>>>(schema: Schema): z.infer<Schema> => {
    const body = check(schema, Object.fromEntries(fields));
    checkDomains(deps, deployer, body.domains ?? []);
    checkDatabases(deps, deployer.project.organizationId, body.databases ?? {});
    return body;
  };
  for await (const name of text.members()) {
    if (name !== "assets" || await text.peek() !== "{") {
      fields.set(name, await text.value());
      continue;
    }
    checkFields(partialBody);
    await assets.read(text);
    fields.set(name, assets);
  }
  await text.end();
  return checkFields(createBody);
}

function readSource(body: Body, tree: AssetTree): SourceOptions {
  const isFile = (path: string) => tree.isFile(path);
  const optional = (field: string, url: string | null | undefined) =>
    url === null || url === undefined || url === "" ? url ?? null : sourcePath(field, url, isFile);
  const { buildCommand } = body;
  return {
    // The build may be what makes it.
    entrypoint: sourcePath("entryPointUrl", body.entryPointUrl, buildCommand ? isManifestPath : isFile),
    importMap: optional("importMapUrl", body.importMapUrl),
    lockFile: optional("lockFileUrl", body.lockFileUrl),
    compilerOptions: body.compilerOptions ?? null,
    ...(buildCommand ? { buildCommand } : {}),
  };
}
