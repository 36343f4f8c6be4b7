/** A table: the first column is text, the others numbers, unless `textColumns` says otherwise. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns: readonly number[] = [0],
): string {
  const ruler = head.map((_, column) => textColumns.includes(column) ? "---" : "---:");
  return [head, ruler, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
