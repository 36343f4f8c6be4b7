/** Rows under a header, columns aligned: cells that are numbers to the right, others to the left. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => String(row[column] ?? "").length))
  );
  return [header, ...rows].map((row) =>
    row.map((cell, column) => {
      const isNumber = typeof (rows[0] ?? header)[column] === "number";
      return isNumber ? String(cell).padStart(widths[column]!) : String(cell).padEnd(widths[column]!);
    }).join("  ").trimEnd()
  );
}
