/**
 * Calls functions of the C library of the server's own process.
 *
 * @returns What `call` says; false where there is no glibc: nothing was called.
 */
export function callLibc<const Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
  call: (functions: Deno.StaticForeignLibraryInterface<Symbols>) => boolean,
): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const libc = Deno.dlopen("libc.so.6", symbols);
    const result = call(libc.symbols);
    libc.close();
    return result;
  } catch {
    return false; // No such library: another libc.
  }
}
