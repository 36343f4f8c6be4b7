import { join, resolve } from "node:path";
import { writeBackup } from "../../backup/write_backup.ts";
import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { formatBytes } from "../quantity.ts";
import { configOf, STATE_OPTIONS } from "../server_options.ts";
import type { OutputStream } from "../terminal.ts";

/** `isola backup`: the whole state of this machine's server in one file, while it runs. */
export const backup = defineCommand({
  name: "backup",
  summary: "Write the server's whole state to a file, while it runs",
  usage: ["backup FILE [--logs] [--data-dir DIR]"],
  details:
    "FILE becomes a tar file; - is standard output. In it are all projects, deployments, tokens' hashes, variables,\n" +
    "certificates and their keys: keep it as secret as the server itself. It is the state as of one moment, and nothing\n" +
    "waits for it. It runs on the server's own machine, as the server's user.",
  options: {
    logs: { type: "boolean", help: "what apps have printed, too" },
    ...STATE_OPTIONS,
    json: { type: "boolean", help: "print JSON for programs" },
  },
  remote: false,
  examples: ["isola backup monday.tar", "isola backup - | zstd | ssh elsewhere 'cat > isola.tar.zst'"],
  async run(context) {
    const { positionals: [file], options, deps, terminal, json } = context;
    if (!file) throw new CliError("usage", 'Cannot back up: name the FILE to write, or "-"');
    const { dataDir, secretKeyFile } = configOf(context, {});
    const path = file === "-" ? null : resolve(deps.cwd, file);
    const isOwnKey = secretKeyFile === join(dataDir, "secret.key");
    const output = await open(path, deps.stdout);
    try {
      const summary = await writeBackup(output, {
        dataDir,
        version: deps.version,
        secretKeyFile: isOwnKey ? secretKeyFile : null,
        logs: options.logs === true,
        signal: deps.signal,
      });
      if (json && path !== null) terminal.printJson({ file: path, ...summary, hasKey: isOwnKey });
      terminal.note(
        `${summary.deployments} deployments, ${formatBytes(summary.bytes)} in ${summary.files} files` +
          (path === null ? "" : `, are in "${path}"`),
      );
      if (!isOwnKey) {
        terminal.note(`Not in it: the key of secrets, "${secretKeyFile}". Keep it, too`, "yellow");
      }
    } catch (error) {
      await output.abort().catch(() => {});
      if (path !== null) await Deno.remove(path);
      throw new CliError(deps.signal.aborted ? "interrupted" : "failed", (error as Error).message, {
        cause: error,
      });
    }
  },
});

async function open(path: string | null, stdout: OutputStream): Promise<WritableStream<Uint8Array>> {
  if (path !== null) {
    try {
      return (await Deno.open(path, { write: true, createNew: true, mode: 0o600 })).writable;
    } catch (cause) {
      throw new CliError("failed", `Cannot back up to "${path}": ${(cause as Error).message}`, { cause });
    }
  }
  return new WritableStream({
    write(chunk) {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(stdout.writeSync(rest));
    },
  });
}
