import assert from "node:assert/strict";

/** nobody(5)'s number on every Linux; it has nothing, not even a home. */
const NOBODY = 65_534;
const ATTACKS = ["attacks_test.ts", "forgery_test.ts"].map((name) => new URL(name, import.meta.url).pathname);
/** What depends on whose sandboxes are: the rest is the runtime's, and the same for everybody. */
const DIFFERENT = "/with all of its layers|before|native code|a link that|what an operator allows/";

Deno.test({
  name: "the attacks fail, too, where the server is an ordinary user, whose sandboxes are all the same user",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "isola-nobody-" });
    await Deno.chown(dir, NOBODY, NOBODY);
    // The one that runs this may be in a home that only root can enter.
    const deno = `${dir}/deno`;
    await Deno.copyFile(Deno.execPath(), deno);
    const { success, stdout } = await new Deno.Command("setpriv", {
      args: [
        ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
        ...[deno, "test", "-A", "--no-check", "--no-lock", `--filter=${DIFFERENT}`, ...ATTACKS],
      ],
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", HOME: dir, DENO_DIR: `${dir}/cache`, NO_COLOR: "1" },
    }).output();
    await Deno.remove(dir, { recursive: true });
    assert.ok(success, new TextDecoder().decode(stdout));
  },
});
