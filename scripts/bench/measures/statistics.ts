/** The value below which the share `q` (0–1) of the values lies, nearest rank; NaN of no values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}

/** "MEDIAN (MIN–MAX)" with so many decimals: how a repeated measurement is printed. */
export function spread(values: readonly number[], decimals: number): string {
  const [median, min, max] = [0.5, 0, 1].map((q) => format(quantile(values, q), decimals));
  return `${median} (${min}–${max})`;
}

/** A number with so many decimals and "," between thousands. */
export function format(value: number, decimals: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
