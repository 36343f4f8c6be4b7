import type { TrustStep } from "./trust.ts";

/** Where {@linkcode carryOutTrust} says what it does. */
export interface TrustTerminal {
  print(line: string): void;
}

/**
 * Carries out the plan of {@linkcode planTrust}: only for somebody who has asked for it. A step that fails does not stop the
 * others; `sudo` may ask for a password.
 *
 * @returns whether all succeeded
 */
export async function carryOutTrust(steps: readonly TrustStep[], { print }: TrustTerminal): Promise<boolean> {
  const done: TrustStep[] = [];
  for (const step of steps) {
    print(`Trusting the local CA in ${step.store}:`);
    if (await runAll(step.commands, print)) done.push(step);
  }
  if (done.length > 0) print("To undo this:");
  for (const command of done.flatMap(({ undo }) => undo)) print(`  ${shown(command)}`);
  return done.length === steps.length;
}

async function runAll(
  commands: readonly (readonly string[])[],
  print: (line: string) => void,
): Promise<boolean> {
  for (const command of commands) {
    print(`  ${shown(command)}`);
    if (!await run(command, print)) return false;
  }
  return true;
}

async function run(command: readonly string[], print: (line: string) => void): Promise<boolean> {
  const [program, ...args] = command;
  try {
    const child = new Deno.Command(program!, { args, stdin: "inherit", stdout: "null", stderr: "inherit" });
    const { success, code } = await child.output();
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
