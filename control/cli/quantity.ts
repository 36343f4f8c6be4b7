const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const;
const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;

/** A time span in its largest whole unit: 185_000 → "3m". Below a second: "0s". */
export function formatAge(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, length]) => ms >= length) ?? ["s", 1000];
  return `${Math.max(0, Math.floor(ms / unitMs))}${unit}`;
}

/** The time since an ISO 8601 time, as {@linkcode formatAge}. "-" for `null`. */
export function formatSince(time: string | null): string {
  return time === null ? "-" : formatAge(Date.now() - Date.parse(time));
}

/** 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB"];
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** 850 → "850 ms", 2300 → "2.3 s". */
export function formatElapsed(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** "10m" → 600_000. `undefined` if it is not a number with one of the units ms, s, m, h, d. */
export function parseDurationMs(text: string): number | undefined {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (unit === "ms") return Number(amount);
  const unitMs = UNITS.find(([name]) => name === unit)?.[1];
  return unitMs && Number(amount) * unitMs;
}
