import { basename } from "node:path";
import { endLeftProcesses } from "../../isolate/mod.ts";

/**
 * Ends what an earlier server has bubblewrap run in a directory. One that was started in the moment in which its server was
 * killed may not know that it is to end with it.
 *
 * @param dir Absolute, without symlinks.
 */
export async function endLeftCommands(dir: string): Promise<void> {
  await endLeftProcesses((program, args) =>
    basename(program) === "bwrap" && args.some((arg) => arg === dir || arg.startsWith(`${dir}/`))
  );
}
