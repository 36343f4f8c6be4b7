import type { TrustStep } from "./trust.ts";

/** What {@linkcode carryOutTrust} works with. */
export interface TrustTerminal {
  /** Where programs are looked for. */
  path: string;
  /** Says what is done. */
  print(line: string): void;
}

/**
 * Carries out the plan of {@linkcode planTrust}: only for somebody who has asked for it. A step that fails does not stop the
 * others; `sudo` may ask for a password.
 *
 * @returns whether all succeeded
 */
export async function carryOutTrust(
  steps: readonly TrustStep[],
  { path, print }: TrustTerminal,
): Promise<boolean> {
  let failed = 0;
  for (const step of steps) {
    print(`Trusting the local CA in ${step.store}:`);
    if (!await runAll(step.commands, { path, print })) failed++;
  }
  // Also of what was done only in part.
  print("To undo this:");
  for (const command of steps.flatMap(({ undo }) => undo)) print(`  ${shown(command)}`);
  return failed === 0;
}

async function runAll(
  commands: readonly (readonly string[])[],
  terminal: TrustTerminal,
): Promise<boolean> {
  for (const command of commands) {
    terminal.print(`  ${shown(command)}`);
    if (!await run(command, terminal)) return false;
  }
  return true;
}

async function run(command: readonly string[], { path, print }: TrustTerminal): Promise<boolean> {
  const [program, ...args] = command;
  try {
    // Programs of administrators are often not on a user's PATH.
    const env = { PATH: `${path}:/usr/sbin:/sbin` };
    const options = { args, env, stdin: "inherit", stdout: "null", stderr: "inherit" } as const;
    const { success, code } = await new Deno.Command(program!, options).output();
    if (!success) print(`Cannot run "${program}": it exited with code ${code}`);
    return success;
  } catch (error) {
    print(`Cannot run "${program}": ${(error as Error).message}`);
    return false;
  }
}

/** As it may be pasted into a shell. */
function shown(command: readonly string[]): string {
  return command.map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
    .join(" ");
}
