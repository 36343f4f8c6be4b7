import { join } from "node:path";
import type { SandboxHome } from "../../isolate/home.ts";

/** What makes our code leave a tenant all that its process has, wherever it stands. Each must be found, or nothing is tested. */
const CHANGES: [from: RegExp, to: string][] = [
  [/Deno\.permissions\.revokeSync\(\{ name: "ffi" \}\)/g, ""],
  [/permissions: \{\n[^]*?\n {6}\}/g, `permissions: "inherit"`],
  [/^ *for \(.*\) dropSocketPermissions\(path\);/gm, ""],
  [/^ *closeDoors\(\);/gm, ""],
];

/**
 * A home in which the tenant has every permission of Deno and calls into libc, once all else is in place: as one that has broken
 * out of V8. What still holds then is held by the operating system.
 */
export async function possess(home: SandboxHome): Promise<SandboxHome> {
  const bootDir = await Deno.makeTempDir({ dir: home.socketsDir, prefix: "possessed-" });
  await Deno.chmod(bootDir, 0o755);
  const unfound = new Set(CHANGES.map(([from]) => from));
  for await (const { name } of Deno.readDir(home.bootDir)) {
    await Deno.copyFile(join(home.bootDir, name), join(bootDir, name));
    if (!name.endsWith(".js")) continue;
    let code = await Deno.readTextFile(join(bootDir, name));
    for (const [from, to] of CHANGES) {
      if (code.search(from) !== -1) unfound.delete(from);
      code = code.replaceAll(from, to);
    }
    await Deno.writeTextFile(join(bootDir, name), code);
  }
  if (unfound.size > 0) {
    throw new Error(`Cannot possess a sandbox: nowhere is ${[...unfound].join(", nor ")}`);
  }
  const { enclosure } = home;
  return {
    ...home,
    bootDir,
    enclosure: {
      ...enclosure,
      wrap: (command, paths, proxyPort) =>
        enclosure.wrap({ ...command, args: command.args.flatMap(allowAll) }, paths, proxyPort),
    },
  };
}

function allowAll(argument: string): string[] {
  if (argument === "--allow-ffi") return ["--allow-all"];
  return /^--(allow|deny)-/.test(argument) ? [] : [argument];
}
