import { blobPath } from "../store/blob_path.ts";

/** What a backup begins with: a JSON file of this name. */
export const HEADER_NAME = "isola-backup.json";

/** Written by this version; another is refused. */
const FORMAT = 1;

/** What the first file of a backup says of it. */
export interface BackupHeader {
  format: typeof FORMAT;
  /** Of the program that wrote it. */
  version: string;
  /** ISO 8601. */
  createdAt: string;
}

/** Folders that are in it as they are. */
export const FOLDERS = ["ca", "git"] as const;

/** Every name that a backup may hold, apart from its header: nothing that leads out of the data directory. */
const NAME =
  /^(?:isola\.db|logs\.db|secret\.key|blobs\/[0-9a-f]{64}|(?:ca|git)(?:\/(?!\.\.?(?:\/|$))[^/\0\\]+)+)$/;

/** Makes the header of a backup. */
export function makeHeader(version: string): BackupHeader {
  return { format: FORMAT, version, createdAt: new Date().toISOString() };
}

/** @throws {Error} It is not a backup, or of a format that is not known here. */
export function readHeader(text: string): BackupHeader {
  const { format, version, createdAt } = JSON.parse(text) as Record<string, unknown>;
  if (format === FORMAT && typeof version === "string" && typeof createdAt === "string") {
    return { format, version, createdAt };
  }
  throw new Error(`Cannot restore the backup: it is of format "${format}", and ${FORMAT} is known`);
}

/** Whether a file of that name belongs into a backup. */
export function isBackupName(name: string): boolean {
  return NAME.test(name);
}

/** Where a file of a backup lies in a data directory. */
export function placeOf(name: string): string {
  const [folder, hash] = name.split("/");
  return folder === "blobs" ? blobPath(folder, hash!) : name;
}
