import { join } from "node:path";
import { createTarPacker, type TarPackController } from "modern-tar";
import { HEADER_NAME, makeHeader } from "./backup_format.ts";
import { type StagedFile, stageState } from "./staging.ts";

/** For its owner alone: there are keys in it. */
const MODE = 0o600;

/** What to back up. */
export interface BackupOptions {
  dataDir: string;
  /** Of this program. */
  version: string;
  /** Where the key of the secrets is; `null` = apart from the data directory, and so from the backup. */
  secretKeyFile: string | null;
  /** What apps printed, too. */
  logs: boolean;
  signal: AbortSignal;
}

/** What a backup holds. */
export interface BackupSummary {
  files: number;
  bytes: number;
  deployments: number;
}

/**
 * Writes the state of a data directory as a tar file, also while a server changes it: the database as of one moment, and what
 * belongs to it. No writer waits for it. `output` is closed, or aborted when something fails.
 *
 * @throws {Error} There is no state, another backup is under way, or a file cannot be read or written.
 */
export async function writeBackup(
  output: WritableStream<Uint8Array>,
  { dataDir, version, secretKeyFile, logs, signal }: BackupOptions,
): Promise<BackupSummary> {
  if (!await Deno.stat(join(dataDir, "isola.db")).then(({ isFile }) => isFile, () => false)) {
    throw new Error(
      `Cannot back up "${dataDir}": there is no state. Name the server's directory with --data-dir`,
    );
  }
  await using state = await stageState(dataDir, logs);
  const files = [...state.files];
  if (secretKeyFile !== null) files.push({ name: "secret.key", path: secretKeyFile });
  const { readable, controller } = createTarPacker();
  const [bytes] = await Promise.all([
    pack(controller, version, files),
    readable.pipeTo(output, { signal }),
  ]);
  return { files: files.length, bytes, deployments: state.deployments };
}

/** Returns the bytes of all files. */
async function pack(
  controller: TarPackController,
  version: string,
  files: readonly StagedFile[],
): Promise<number> {
  let bytes = 0;
  try {
    const header = new TextEncoder().encode(JSON.stringify(makeHeader(version)));
    const body = controller.add({ name: HEADER_NAME, size: header.length, mode: MODE });
    await new Blob([header]).stream().pipeTo(body);
    for (const { name, path } of files) {
      using file = await Deno.open(path);
      const { size } = await file.stat();
      await file.readable.pipeTo(controller.add({ name, size, mode: MODE }));
      bytes += size;
    }
    controller.finalize();
    return bytes;
  } catch (error) {
    controller.error(error);
    throw error;
  }
}
