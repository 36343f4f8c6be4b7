import type { Database } from "./database.ts";

/** Which page of a list, and in what order. */
export interface ListOptions<Sort extends string> {
  /** From 1. */
  page: number;
  limit: number;
  /** Only what contains this text; `null` = all. */
  q: string | null;
  sort: Sort;
  order: "asc" | "desc";
}

/** One page of a list. */
export interface Listed<Item> {
  items: Item[];
  /** How many there are on all pages. */
  total: number;
}

/** What a page is read from: trusted SQL. */
export interface PageQuery {
  columns: string;
  table: string;
  /** `?1` is whose items these are, `?2` the text that is looked for; either may be `NULL`. */
  where: string;
  /** The columns that are sorted by, the last one without equals. */
  order: readonly string[];
}

/**
 * One page of what somebody has.
 *
 * @param ownerId `null`: what that means, `where` says.
 */
export function readPage<Row>(
  database: Database,
  { columns, table, where, order }: PageQuery,
  ownerId: string | null,
  options: ListOptions<string>,
): Listed<Row> {
  const direction = options.order === "asc" ? "ASC" : "DESC";
  const items = database.all<Row>(
    `SELECT ${columns} FROM ${table} WHERE ${where}
     ORDER BY ${order.map((column) => `${column} ${direction}`).join(", ")} LIMIT ?3 OFFSET ?4`,
    ownerId,
    options.q,
    options.limit,
    (options.page - 1) * options.limit,
  );
  const { total } = database.get<{ total: number }>(
    `SELECT count(*) AS total FROM ${table} WHERE ${where}`,
    ownerId,
    options.q,
  )!;
  return { items, total };
}
