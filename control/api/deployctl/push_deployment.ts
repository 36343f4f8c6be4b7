import type { Context } from "hono";
import { z } from "zod";
import { checkSizes } from "../deployments/assets.ts";
import { recordChange } from "../access/audit.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError, toApiError } from "../errors.ts";
import { parseJson } from "../input.ts";
import { ndjsonResponse } from "../logs/log_streams.ts";
import { sourcePath } from "../deployments/source_path.ts";
import { assertDeployable, submitDeployment } from "../../deployments/submit.ts";
import { type Manifest, MAX_FILES, type Project, type SourceOptions } from "../../model.ts";
import { doneWithin } from "../../scheduling/done_within.ts";
import { buildOutcome } from "./build_outcome.ts";
import { deployedJson } from "./build_json.ts";
import { addFileServer, isFileServer } from "./file_server.ts";
import { type FormPart, formParts } from "./form_parts.ts";
import { type FlatManifest, MAX_MANIFEST_LENGTH, nestedManifest, readManifest } from "./nested_manifest.ts";
import { Upload } from "./upload.ts";

/** Forms whose `request` is read at once; more are refused. */
const MAX_READING = 16;
/** One `request`, and a `file` for each file. */
const MAX_PARTS = 1 + MAX_FILES;
/** Between two events about the upload, and, so that no proxy ends a connection that is silent, about the build. */
const PROGRESS_INTERVAL_MS = 250;
const KEEP_ALIVE_INTERVAL_MS = 15_000;

let reading = 0;

/** `PushDeploymentRequest` of the client. */
const pushRequest = z.object({
  url: z.string().min(1),
  importMapUrl: z.string().nullish(),
  production: z.boolean().nullish(),
  manifest: nestedManifest,
});

/** What is to be deployed, checked. */
interface Push {
  manifest: FlatManifest;
  /** `entrypoint: null`: the files are to be served as they are. */
  source: Omit<SourceOptions, "entrypoint"> & { entrypoint: string | null };
  production: boolean;
}

/** `DeploymentProgress` of the client. Of one that is no `error` it takes an upload, a load, its completion, then `success`. */
type Progress =
  | { type: "staticFile"; currentBytes: number; totalBytes: number }
  | { type: "load"; url: string; seen: number; total: number }
  | { type: "uploadComplete" }
  | ({ type: "success" } & ReturnType<typeof deployedJson>)
  | { type: "error"; code: string; ctx: string };

/**
 * Answers the client's deployment: a form whose first part says what is deployed and whose others are the files that the
 * server lacks. They are stored as they arrive; meanwhile and until the build has ended the answer tells how far it is.
 * Every refusal is an event, too: at another status than 200 the client shows a stack.
 */
export function pushDeployment(c: Context<ApiEnv>, deps: ApiDeps, project: Project): Response {
  return ndjsonResponse((signal) => deploy(c, deps, project, signal));
}

async function* deploy(
  c: Context<ApiEnv>,
  deps: ApiDeps,
  project: Project,
  signal: AbortSignal,
): AsyncGenerator<Progress, void, void> {
  const parts = formParts(c.req.raw, { maxParts: MAX_PARTS });
  try {
    assertDeployable(project, deps);
    const { manifest, source, production } = await readPush(parts);
    const files = yield* receive(deps, project, manifest, parts);
    const entrypoint = source.entrypoint ?? await addFileServer(deps.store.blobs, files, manifest.files);
    const record = submitDeployment(deps, project.id, {
      description: "",
      source: { ...source, entrypoint },
      files,
      env: {},
      net: null,
      limits: {},
      domains: null,
      production,
    });
    recordChange(c, deps.store.audit, { action: "create deployment", target: record.id });
    yield { type: "load", url: `file:///src/${entrypoint}`, seen: 1, total: 1 };
    yield { type: "uploadComplete" };
    const outcome = buildOutcome(deps, record, signal);
    while (!await doneWithin(outcome, KEEP_ALIVE_INTERVAL_MS)) yield { type: "uploadComplete" };
    const { built, project: current } = await outcome;
    yield { type: "success", ...deployedJson(deps, built, current) };
  } catch (error) {
    const { code, message } = toApiError(error, c);
    yield { type: "error", code, ctx: message };
  } finally {
    await parts.return();
  }
}

async function readPush(parts: AsyncGenerator<FormPart, void, void>): Promise<Push> {
  const given = parseJson(await readRequest(parts), pushRequest);
  const manifest = await readManifest(given.manifest);
  checkSizes([...manifest.files].map(([path, { size }]) => [path, size]));
  const isFile = (path: string) => manifest.tree.isFile(path);
  const source = {
    entrypoint: isFileServer(given.url) ? null : sourcePath("url", given.url, isFile),
    importMap: given.importMapUrl ? sourcePath("importMapUrl", given.importMapUrl, isFile) : null,
    lockFile: null,
    compilerOptions: null,
  };
  return { manifest, source, production: given.production ?? false };
}

async function readRequest(parts: AsyncGenerator<FormPart, void, void>): Promise<string> {
  if (reading >= MAX_READING) {
    throw new ApiError("overloaded", "Too many deployments begin at once: try again");
  }
  reading++;
  try {
    const { value: part } = await parts.next();
    if (part && part.name === "request") return await readText(part);
    throw new ApiError("badRequest", `Invalid request: the first part of the form must be "request"`);
  } finally {
    reading--;
  }
}

async function readText({ content }: FormPart): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of content) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_MANIFEST_LENGTH) {
      throw new ApiError(
        "bodyTooLarge",
        `The "request" of the form is longer than ${MAX_MANIFEST_LENGTH} characters`,
      );
    }
  }
  return text + decoder.decode();
}

/** Stores the files of the form and returns all those of the manifest. */
async function* receive(
  deps: ApiDeps,
  { id }: Pick<Project, "id">,
  manifest: FlatManifest,
  parts: AsyncIterable<FormPart>,
): AsyncGenerator<Progress, Manifest, void> {
  const upload = await Upload.begin(deps.store.blobs, id, manifest);
  const received = upload.receive(parts);
  while (!await doneWithin(received, PROGRESS_INTERVAL_MS)) {
    // The client shows it beside files to upload, and fails if it has none.
    if (upload.currentBytes > 0) yield { type: "staticFile", ...upload.progress };
  }
  await received;
  return await upload.manifest();
}
