/** Of glibc's own Debian package (libc-bin); musl has none, and Deno none for musl. */
const LDD = "/usr/bin/ldd";

/**
 * The shared libraries that a program needs and the loader that loads them, by ldd(1).
 *
 * @throws {Error} when `ldd` is missing or does not understand the program
 */
export async function sharedLibraries(programPath: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(LDD, {
    args: [programPath],
    clearEnv: true,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`Cannot find the libraries of "${programPath}": ${decoder.decode(stderr).trim()}`);
  }
  const paths = decoder.decode(stdout).split("\n").map((line) => /(?:=> |^\s*)(\/\S+) \(0x/.exec(line)?.[1]);
  return paths.filter((path) => path !== undefined);
}
