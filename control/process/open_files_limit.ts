/** How many files this process may have open at once, by proc(5); `null` = it is not told. */
export async function openFilesLimit(): Promise<number | null> {
  const limits = await Deno.readTextFile("/proc/self/limits").catch(() => "");
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? null : Number(soft);
}
