import assert from "node:assert/strict";
import type { CliError } from "../../cli/cli_error.ts";
import { TempFolder } from "../../cli/snapshot/temp_folder_test.ts";
import { VersionedHostnames } from "./versioned_hostnames.ts";

function open(folder: TempFolder) {
  const file = `${folder.path}/versioned.json`;
  const hostnames = new VersionedHostnames(folder.path, file);
  return {
    update: () => hostnames.update(new AbortController().signal),
    written: (): Record<string, string> => JSON.parse(Deno.readTextFileSync(file)),
  };
}

Deno.test("a deployment has another id once one of its files is another one, and the others keep theirs", async () => {
  using folder = new TempFolder({
    "hostnames.json": '{ "a.localhost": "a-1", "www.a.localhost": "a-1", "b.localhost": "b-1" }',
    "deployments/a-1/main.js": "one",
    "deployments/a-1/files/x.txt": "x",
    "deployments/b-1/main.js": "b",
  });
  const { update, written } = open(folder);
  const first = await update();
  assert.deepEqual([...first.keys()], ["a.localhost", "www.a.localhost", "b.localhost"]);
  assert.match(first.get("a.localhost")!, /^a-1@[0-9a-f]{12}$/);
  assert.equal(first.get("www.a.localhost"), first.get("a.localhost"));
  assert.deepEqual(written(), Object.fromEntries(first));
  assert.equal((await update()).size, 0);
  folder.write("deployments/a-1/files/x.txt", "another");
  const second = await update();
  assert.deepEqual([...second.keys()], ["a.localhost", "www.a.localhost"]);
  assert.notEqual(second.get("a.localhost"), first.get("a.localhost"));
  assert.deepEqual(written(), { ...Object.fromEntries(first), ...Object.fromEntries(second) });
  folder.write("deployments/a-1/files/x.txt", "x");
  assert.equal((await update()).get("a.localhost"), first.get("a.localhost"));
});

Deno.test("hostnames come and go; one without a folder leads to the id that it names", async () => {
  using folder = new TempFolder({
    "hostnames.json": '{ "a.localhost": "a-1" }',
    "deployments/a-1/main.js": "",
  });
  const { update, written } = open(folder);
  await update();
  folder.write("hostnames.json", '{ "b.localhost": "gone-1" }');
  assert.deepEqual([...await update()], [["b.localhost", "gone-1"]]);
  assert.deepEqual(written(), { "b.localhost": "gone-1" });
});

Deno.test("hostnames that are no JSON are refused, and those before stay", async () => {
  using folder = new TempFolder({
    "hostnames.json": '{ "a.localhost": "a-1" }',
    "deployments/a-1/main.js": "",
  });
  const { update, written } = open(folder);
  await update();
  const before = written();
  folder.write("hostnames.json", "{");
  await assert.rejects(
    update(),
    (error: CliError) => /^Cannot read ".*hostnames\.json": /.test(error.message),
  );
  assert.deepEqual(written(), before);
});

Deno.test("a folder that is something else is refused, with what it has to be", async () => {
  using folder = new TempFolder({ "main.ts": "" });
  await assert.rejects(open(folder).update(), {
    message: /^Cannot read ".*\/deployments": .*Is ".*" a copy of examples\/subhosting\?$/,
  });
});
