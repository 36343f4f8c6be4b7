import { join } from "node:path";
import type { SandboxHome } from "../../isolate/home.ts";

/** What makes our code leave a tenant all that its process has. Each must be found, or this is no test any more. */
const CHANGES: Record<string, [from: RegExp, to: string][]> = {
  "confine.js": [[/Deno\.permissions\.revokeSync\(\{ name: "ffi" \}\);/, ""]],
  "host.js": [
    [/Deno\.permissions\.revokeSync\(\{ name: "ffi" \}\);/, ";"],
    [/permissions: \{[^]*?\n {6}\}/, `permissions: "inherit"`],
  ],
  "guest.js": [[/\n {2}dropSocketPermissions\(\);/, ""], [/\n {2}closeDoors\(\);/, ""]],
};

/**
 * A home in which the tenant has every permission of Deno and calls into libc, once all else is in place: as one that has broken
 * out of V8. What still holds then is held by the operating system.
 */
export async function possess(home: SandboxHome): Promise<SandboxHome> {
  const bootDir = await Deno.makeTempDir({ dir: home.socketsDir, prefix: "possessed-" });
  await Deno.chmod(bootDir, 0o755);
  for await (const { name } of Deno.readDir(home.bootDir)) {
    await Deno.copyFile(join(home.bootDir, name), join(bootDir, name));
  }
  for (const [name, changes] of Object.entries(CHANGES)) {
    let code = await Deno.readTextFile(join(bootDir, name));
    for (const [from, to] of changes) {
      if (!from.test(code)) throw new Error(`Cannot possess a sandbox: ${from} is not in "${name}"`);
      code = code.replace(from, to);
    }
    await Deno.writeTextFile(join(bootDir, name), code);
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
