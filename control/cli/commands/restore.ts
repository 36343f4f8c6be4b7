import { resolve } from "node:path";
import { restoreBackup } from "../../backup/restore_backup.ts";
import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { configOf, STATE_OPTIONS } from "../server_options.ts";

/** `isola restore`: the state of a backup, in a data directory that has none. */
export const restore = defineCommand({
  name: "restore",
  summary: "Bring back what a backup holds",
  usage: ["restore FILE [--data-dir DIR]"],
  details:
    "FILE is what `isola backup` wrote; - is standard input. All of it is checked before anything is in its place, and a\n" +
    "data directory that holds state is refused: nothing is ever overwritten. Start the server afterwards.",
  options: { ...STATE_OPTIONS, json: { type: "boolean", help: "print JSON for programs" } },
  remote: false,
  examples: ["isola restore monday.tar --data-dir /var/lib/isola", "zstdcat isola.tar.zst | isola restore -"],
  async run(context) {
    const { positionals: [file], deps, terminal, json } = context;
    if (!file) throw new CliError("usage", 'Cannot restore: name the FILE to read, or "-"');
    const { dataDir, secretKeyFile } = configOf(context, {});
    try {
      const archive = file === "-" ? Deno.stdin : await Deno.open(resolve(deps.cwd, file));
      const { header, files, hasKey } = await restoreBackup(archive.readable, dataDir, deps.signal);
      if (json) terminal.printJson({ dataDir, files, createdAt: header.createdAt, hasKey });
      terminal.note(`${files} files of ${header.createdAt} are in "${dataDir}": start it with isola serve`);
      if (!hasKey) {
        terminal.note(`Put the key of its secrets at "${secretKeyFile}" before you start it`, "yellow");
      }
    } catch (error) {
      const { message } = error as Error;
      throw new CliError(
        deps.signal.aborted ? "interrupted" : "failed",
        message.startsWith("Cannot ") ? message : `Cannot restore "${file}": ${message.replace(/\.$/, "")}`,
        { cause: error },
      );
    }
  },
});
