import { join } from "node:path";
import type { Limits } from "../../model.ts";
import type { Launch } from "../../supervisor/launch.ts";
import { Turn } from "../../scheduling/turn.ts";
import type { SubhosterConfig } from "../model.ts";
import { type ContentStore, INDEX_FILE } from "./content_store.ts";
import type { KeptProgram } from "./kept_program.ts";
import { placeFile } from "./place_file.ts";
import type { FileProvider, FilesOwner } from "./provided_files.ts";

/** A program, whose it is, and what gives it its files. */
export interface ProgramOptions {
  program: KeptProgram;
  owner: FilesOwner;
  subhoster: Pick<SubhosterConfig, "limits" | "net" | "region">;
  /** The machine's, where the subhoster has none. */
  defaults: { limits: Limits; region: string };
  store: ContentStore;
  files: FileProvider;
}

/** Where a program's modules are in its directory. */
const FOLDER = "modules";
const FOLDER_MODE = 0o755;

/** What it takes to start a subhosted deployment. */
export function subhostedLaunch(
  { program, owner, subhoster, defaults, store, files }: ProgramOptions,
): Launch {
  const { entry, entryFile, env, net = subhoster.net } = program;
  return {
    image: { entry },
    modules: { index: join(FOLDER, INDEX_FILE), compiled: join(FOLDER, `${entryFile}.compiled`) },
    files: files.filesOf(owner),
    async populate(dir) {
      files.begin(dir);
      const modules = join(dir, FOLDER);
      const place = (file: string) => placeFile(store.filePath(owner.key, file), join(modules, file));
      try {
        await populate(modules, { files: program.files, place });
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) store.forget(owner.key); // So it is fetched for the next request.
        throw error;
      }
      await place(`${entryFile}.compiled`).catch(ignoreNotFound);
    },
    reclaim: (dir) => files.end(dir),
    env: {
      ...env,
      DENO_DEPLOYMENT_ID: owner.deploymentId,
      DENO_REGION: subhoster.region ?? defaults.region,
    },
    net: net === null ? null : [...net],
    limits: { ...defaults.limits, ...subhoster.limits },
  };
}

async function populate(
  dir: string,
  { files, place }: { files: readonly string[]; place: (file: string) => Promise<void> },
): Promise<void> {
  const turn = new Turn();
  Deno.mkdirSync(dir);
  Deno.chmodSync(dir, FOLDER_MODE); // Whatever the server's umask is.
  for (const file of files) {
    await place(file);
    if (turn.isOver()) await turn.next();
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
