/** Runs a program to its end and resolves with what it printed. Throws what it wrote to stderr when it failed, and past the time. */
export async function run(program: string, args: string[], timeoutMs: number): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { success, stdout, stderr } = await new Deno.Command(program, { args, signal }).output();
  const decoder = new TextDecoder();
  if (signal.aborted) throw new Error(`Cannot run "${program}" within ${timeoutMs}ms`);
  if (!success) throw new Error(`Cannot run "${program}": ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}
