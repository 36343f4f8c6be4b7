import assert from "node:assert/strict";
import { join } from "node:path";
import { AppPaths } from "./app_paths.ts";
import { type BuildPlace, type CacheBounds, openBuildPlace } from "./build_place.ts";
import { installPackages } from "./deno_command.ts";
import { openFileView } from "./file_view.ts";
import { operatorFiles } from "./operator_files.ts";
import type { BuildRequest } from "./protocol.ts";
import { prepareConfig } from "./tenant_config.ts";

/** More than a thread's stack takes of removals one within the other. */
const LEVELS = 40_000;

async function withPlace(
  bounds: CacheBounds,
  use: (place: BuildPlace) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-place-" });
  try {
    await use(await openBuildPlace(dir, bounds));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function names(dir: string): string[] {
  return Array.from(Deno.readDirSync(dir), ({ name }) => name).sort();
}

Deno.test("What a build leaves is removed after it and at the next start; what it downloaded stays", async () => {
  await withPlace({}, async (place) => {
    for (const id of ["first", "second"]) {
      await Deno.writeTextFile(join(await place.enter(id), "main.ts"), "");
    }
    await Deno.writeTextFile(join(place.cacheDir, "package"), "");
    await place.boundCache();
    const again = await openBuildPlace(place.dir);
    assert.deepEqual(names(place.dir), ["deno"]);
    await again.enter("first");
    await again.clear();
    assert.deepEqual(names(place.dir), ["deno"]);
    assert.deepEqual(names(place.cacheDir), ["package"]);
  });
});

Deno.test("The next start ends a file view that an earlier server left, and nothing else that names the place", async () => {
  await withPlace({}, async (place) => {
    const [left, other] = await Promise.all(["bwrap", "editor"].map(async (name) => {
      await Deno.symlink("/bin/sh", join(place.dir, name));
      const args = ["-c", "read line", "sh", place.dir];
      return new Deno.Command(join(place.dir, name), { args, stdin: "piped" }).spawn();
    }));
    await openBuildPlace(place.dir);
    assert.equal((await left!.status).signal, "SIGKILL");
    await Promise.all([left!.stdin.close().catch(() => {}), other!.stdin.close()]);
    assert.equal((await other!.status).signal, null);
  });
});

Deno.test("A cache that has grown past its bounds is emptied, counting every folder below it", async (t) => {
  const cases: [string, CacheBounds, string[]][] = [
    ["too many bytes", { maxBytes: 64 * 1024 }, []],
    ["too many files", { maxFiles: 3 }, []],
    ["as much as may be", { maxBytes: 1024 * 1024, maxFiles: 4 }, ["npm"]],
  ];
  for (const [name, bounds, left] of cases) {
    await t.step(name, () =>
      withPlace(bounds, async (place) => {
        const folder = join(place.cacheDir, "npm", "hono");
        await Deno.mkdir(folder, { recursive: true });
        for (const file of ["a", "b"]) {
          await Deno.writeFile(join(folder, file), new Uint8Array(50 * 1024).fill(1));
        }
        await place.boundCache();
        assert.deepEqual(names(place.cacheDir), left);
      }));
  }
});

Deno.test("Deno links the files of a package into a build instead of copying them", async () => {
  await withPlace({}, async (place) => {
    const dir = await place.enter("app");
    await Deno.writeTextFile(join(dir, "main.ts"), `import "npm:ms@2.1.3";`);
    const { signal } = new AbortController();
    const request: BuildRequest = {
      dir,
      source: { entrypoint: "main.ts", importMap: null, lockFile: null, compilerOptions: null },
      configs: [],
      hasNodeModules: false,
      placeDir: place.dir,
      v8Flags: "",
      cacheDir: place.cacheDir,
      operatorFiles: await operatorFiles(Deno.env.toObject()),
      deniedNetworks: ["169.254.0.0/16"],
    };
    const view = await openFileView(Deno.execPath());
    const paths = new AppPaths(dir);
    const config = prepareConfig(request);
    await installPackages("main.ts", { ...request, writable: [place.dir], paths, config, view, signal });
    const { nlink } = await Deno.stat(join(dir, "node_modules/.deno/ms@2.1.3/node_modules/ms/index.js"));
    assert.equal(nlink, 2);
  });
});

Deno.test("A place is cleared of folders within folders, ever so deep", async () => {
  await withPlace({}, async (place) => {
    const dir = await place.enter("deep");
    const make = `for (let level = 0; level < ${LEVELS}; level++) { Deno.mkdirSync("d"); Deno.chdir("d"); }`;
    const { success } = await new Deno.Command(Deno.execPath(), { args: ["eval", make], cwd: dir }).output();
    assert.ok(success);
    await place.clear();
    assert.deepEqual(names(place.dir), ["deno"]);
  });
});
