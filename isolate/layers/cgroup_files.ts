import { readFileSync } from "node:fs";

/** Writes one setting of a group; the kernel answers by the result of the write. */
export function writeControl(path: string, value: string | number): Promise<void> {
  // Creating a file is forbidden there, and would hide that the setting does not exist.
  return Deno.writeTextFile(path, `${value}\n`, { create: false });
}

/** Writes a setting that not every kernel has. */
export async function writeControlIfThere(path: string, value: string | number): Promise<boolean> {
  try {
    await writeControl(path, value);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Reads one file of a group, which takes 3 µs. */
export function readControl(path: string): string {
  return readFileSync(path, "utf8");
}

/** The number after `key` in a file of lines such as "usage_usec 1234"; 0 where there is no such line. */
export function numberAt(key: string, lines: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, "m").exec(lines)?.[1] ?? 0);
}
