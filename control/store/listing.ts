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
