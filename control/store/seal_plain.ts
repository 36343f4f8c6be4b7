import { SEALED_PREFIX, type SecretBox } from "../secrets/secret_box.ts";
import type { Database } from "./database.ts";

/** Rows sealed in one transaction. */
const ROWS_AT_ONCE = 200;

/** What `sealing.plain` says: nothing is; an earlier version wrote here last; one that reads what is sealed did. */
const [NOTHING, UNTOUCHED, LEFT] = [0, 1, 2] as const;

/** What is sealed; the place of each value is `table.column`, and the row's key. */
const SEALED = [
  { table: "deployments", column: "env", key: "id" },
  { table: "deployments", column: "project_env", key: "id" },
  { table: "certificates", column: "private_key", key: "id" },
  { table: "acme_accounts", column: "private_key", key: "directory" },
] as const;

type Sealed = typeof SEALED[number];

/**
 * Seals what an earlier version left plain, and leaves no copy of it in the database's file. Cut off at any point, it goes
 * on at the next start; so it does where that version still reads beside this one.
 */
export function sealPlain(
  database: Database,
  secrets: SecretBox,
  { takesOver }: { takesOver?: boolean },
): void {
  const { plain } = database.get<{ plain: number }>("SELECT plain FROM sealing")!;
  if (plain === NOTHING) return;
  if (takesOver && plain === UNTOUCHED) return void database.run("UPDATE sealing SET plain = ?", LEFT);
  for (const sealed of SEALED) sealColumn(database, secrets, sealed);
  // Also of rows that were deleted before: what they held is in pages that nobody uses.
  database.execute("VACUUM");
  database.run("UPDATE sealing SET plain = ?", NOTHING);
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

function sealColumn(database: Database, secrets: SecretBox, sealed: Sealed): void {
  let done: number | null = 0;
  while (done !== null) done = sealRows(database, secrets, sealed, done);
}

/** Returns the last row that it has sealed; `null` = there is none after that row. */
function sealRows(
  database: Database,
  secrets: SecretBox,
  { table, column, key }: Sealed,
  after: number,
): number | null {
  return database.transaction(() => {
    const rows = database.all<{ row: number; key: string; text: string }>(
      `SELECT rowid AS row, ${key} AS key, ${column} AS text FROM ${table}
       WHERE rowid > ? AND substr(${column}, 1, ${SEALED_PREFIX.length}) <> '${SEALED_PREFIX}'
       ORDER BY rowid LIMIT ${ROWS_AT_ONCE}`,
      after,
    );
    for (const { row, key, text } of rows) {
      const sealed = secrets.seal(text, `${table}.${column} ${key}`);
      database.run(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`, sealed, row);
    }
    return rows.at(-1)?.row ?? null;
  });
}
