import { statfsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { isOpenToOthers } from "../secrets/secret_key.ts";
import type { Finding } from "./finding.ts";

const MIN_FREE_BYTES = 512 * 1024 ** 2;
const LOW_FREE_BYTES = 4 * 1024 ** 3;
const MAX_PROBLEMS = 5;

/** Whether the data directory can be written, has room, and holds state that is whole. */
export function checkState({ dataDir, secretKeyFile }: Config): Finding[] {
  const place = existing(dataDir);
  return [checkWritable(dataDir, place), checkRoom(place), ...checkDatabase(dataDir, secretKeyFile)];
}

/** The directory itself, or where it will be made. */
function existing(dir: string): string {
  try {
    Deno.statSync(dir);
    return dir;
  } catch {
    return dirname(dir) === dir ? dir : existing(dirname(dir));
  }
}

function checkWritable(dataDir: string, place: string): Finding {
  const check = "data directory";
  try {
    Deno.removeSync(Deno.makeTempFileSync({ dir: place, prefix: ".isola-doctor-" }));
    return { check, status: "ok", message: place === dataDir ? dataDir : `${dataDir} will be made` };
  } catch (error) {
    const advice = "Give it to the user that the server runs as, or choose another: ISOLA_DATA_DIR";
    return {
      check,
      status: "problem",
      message: `"${place}" cannot be written: ${(error as Error).message}`,
      advice,
    };
  }
}

function checkRoom(place: string): Finding {
  const check = "disk";
  const { bavail, bsize, blocks } = statfsSync(place);
  const freeBytes = bavail * bsize;
  const gib = (bytes: number) => (bytes / 1024 ** 3).toFixed(1);
  const message = `${gib(freeBytes)} of ${gib(blocks * bsize)} GiB are free`;
  if (freeBytes >= LOW_FREE_BYTES) return { check, status: "ok", message };
  const status = freeBytes < MIN_FREE_BYTES ? "problem" : "warning";
  return {
    check,
    status,
    message,
    advice: "Free some: builds and logs need room, and a full disk refuses changes",
  };
}

function checkDatabase(dataDir: string, secretKeyFile: string): Finding[] {
  const check = "state";
  const path = join(dataDir, "isola.db");
  try {
    if (!Deno.statSync(path).isFile) throw new Error("it is not a file");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [{ check, status: "ok", message: "none yet" }];
    return [{ check, status: "problem", message: `"${path}": ${(error as Error).message}` }];
  }
  return [checkIntegrity(path), checkKey(secretKeyFile)];
}

function checkIntegrity(path: string): Finding {
  const check = "state";
  const advice = "Restore a backup into another directory: isola restore FILE --data-dir DIR";
  try {
    using database = new DatabaseSync(path, { readOnly: true });
    const found = database.prepare(`PRAGMA quick_check(${MAX_PROBLEMS})`).all();
    const problems = found.map((row) => String(row.quick_check)).filter((text) => text !== "ok");
    if (problems.length === 0) return { check, status: "ok", message: `"${path}" is whole` };
    return { check, status: "problem", message: `"${path}" is damaged: ${problems.join("; ")}`, advice };
  } catch (error) {
    return {
      check,
      status: "problem",
      message: `"${path}" cannot be read: ${(error as Error).message}`,
      advice,
    };
  }
}

function checkKey(secretKeyFile: string): Finding {
  const check = "secrets";
  try {
    if (!isOpenToOthers(Deno.statSync(secretKeyFile))) {
      return { check, status: "ok", message: `their key is "${secretKeyFile}"` };
    }
    return {
      check,
      status: "problem",
      message: `their key "${secretKeyFile}" is open to other users`,
      advice: `chmod 600 ${secretKeyFile}`,
    };
  } catch (error) {
    const message = `their key "${secretKeyFile}" cannot be read: ${(error as Error).message}`;
    return {
      check,
      status: "problem",
      message,
      advice: "Bring it back from where it is kept: nothing else opens them",
    };
  }
}
