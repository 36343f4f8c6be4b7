import assert from "node:assert/strict";
import { join } from "node:path";
import { openFileView } from "./file_view.ts";
import { operatorFiles } from "./operator_files.ts";
import { HAS_NAMESPACES } from "./testing/has_namespaces.ts";

Deno.test({
  name: "A Deno of a build sees what it is given, writes where it may, and finds nothing else",
  ignore: !HAS_NAMESPACES,
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "isola-view-" });
    const dotfile = await Deno.makeTempFile({ dir: Deno.env.get("HOME"), prefix: ".isola-view-" });
    try {
      for (const name of ["given", "own", "other"]) await Deno.mkdir(join(dir, name));
      for (const name of ["given/a", "own/a", "other/a"]) await Deno.writeTextFile(join(dir, name), name);
      const paths = ["given/a", "own/a", "other/a"].map((name) => join(dir, name));
      const probe = `
        const tried = (use) => { try { use(); return true; } catch { return false; } };
        console.log(JSON.stringify([...${JSON.stringify(paths)}, "/etc/passwd", ${
        JSON.stringify(dotfile)
      }].map((path) => [
          tried(() => Deno.statSync(path)),
          tried(() => Deno.writeTextFileSync(path, "changed")),
        ])));`;
      const view = await openFileView(Deno.execPath());
      const { path, args } = view(
        { path: Deno.execPath(), args: ["eval", "--no-lock", "--no-config", probe] },
        { readable: [paths[0]!], writable: [join(dir, "own")] },
      );
      const env = { DENO_DIR: join(dir, "own") };
      const { stdout } = await new Deno.Command(path, { args, env, stderr: "inherit" }).output();
      const [given, own, ...others] = JSON.parse(new TextDecoder().decode(stdout));
      assert.deepEqual(given, [true, false]);
      assert.deepEqual(own, [true, true]);
      // A path that does not exist can be made, in memory that ends with the process.
      for (const [exists] of others) assert.equal(exists, false);
      assert.equal(await Deno.readTextFile(paths[2]!), "other/a");
    } finally {
      await Deno.remove(dir, { recursive: true });
      await Deno.remove(dotfile);
    }
  },
});

Deno.test("The files that the operator's settings name are those of the environment and of his .npmrc", async () => {
  const home = await Deno.makeTempDir({ prefix: "isola-operator-" });
  try {
    const env = { HOME: home, SSL_CERT_FILE: "/etc/corp.pem", NODE_EXTRA_CA_CERTS: "relative.pem" };
    const npmrc = join(home, ".npmrc");
    assert.deepEqual(await operatorFiles(env), ["/etc/corp.pem", npmrc]);
    await Deno.writeTextFile(
      npmrc,
      `registry=https://registry.example/
//registry.example/:certfile = "/etc/npm/cert.pem"
//registry.example/:keyfile=/etc/npm/key.pem
# cafile=/etc/commented.pem
`,
    );
    assert.deepEqual(await operatorFiles(env), [
      "/etc/corp.pem",
      npmrc,
      "/etc/npm/cert.pem",
      "/etc/npm/key.pem",
    ]);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});
