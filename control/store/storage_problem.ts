/** What is wrong with the disk, or with what is on it. */
export type StorageProblem = "full" | "damaged";

/** Of SQLite (https://sqlite.org/rescode.html): Deno passes on its texts, not its result codes. */
const TEXTS: readonly [text: string, problem: StorageProblem][] = [
  ["database or disk is full", "full"],
  ["database disk image is malformed", "damaged"],
  ["file is not a database", "damaged"],
  ["disk I/O error", "damaged"],
];
const FULL_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);

/** The problem of the disk that an error tells of, or `null`. */
export function storageProblem(error: unknown): StorageProblem | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as Error & { code?: unknown };
  if (FULL_CODES.has(code)) return "full";
  if (code !== "ERR_SQLITE_ERROR") return null;
  return TEXTS.find(([text]) => error.message.includes(text))?.[1] ?? null;
}
