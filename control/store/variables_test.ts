import assert from "node:assert/strict";
import type { DeploymentContext } from "../model.ts";
import { openStore, type Store } from "./store.ts";

const BOTH: DeploymentContext[] = ["production", "preview"];

async function withProject(work: (store: Store, projectId: string) => void): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-variables-" });
  try {
    using store = await openStore(dir);
    const organizationId = store.organizations.first().id;
    work(store, store.projects.create({ organizationId, name: "shop", description: "" }).id);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Without the times. */
function listed(store: Store, projectId: string) {
  return store.variables.list(projectId).map(({ updatedAt: _, ...variable }) => variable);
}

Deno.test("a variable is set, changed and removed in each context by itself", () =>
  withProject(({ variables }, id) => {
    variables.change(id, [{ name: "A", value: "1", contexts: BOTH }, {
      name: "B",
      value: "",
      contexts: BOTH,
    }]);
    variables.change(id, [
      { name: "A", value: "2", contexts: ["preview"] },
      { name: "B", value: null, contexts: ["production"] },
      { name: "C", value: null, contexts: BOTH },
    ]);
    assert.deepEqual(variables.resolve(id, "production"), { A: "1" });
    assert.deepEqual(variables.resolve(id, "preview"), { A: "2", B: "" });
    assert.deepEqual(variables.resolve("another", "preview"), {});
  }));

Deno.test("one value is listed once with its contexts, two values twice, a secret without its value", () =>
  withProject((store, id) => {
    store.variables.change(id, [
      { name: "B", value: "x", contexts: BOTH },
      { name: "A", value: "hidden", secret: true, contexts: BOTH },
      { name: "C", value: "live", contexts: ["production"] },
      { name: "C", value: "trial", contexts: ["preview"] },
    ]);
    assert.deepEqual(listed(store, id), [
      { name: "A", value: null, secret: true, contexts: BOTH },
      { name: "B", value: "x", secret: false, contexts: BOTH },
      { name: "C", value: "live", secret: false, contexts: ["production"] },
      { name: "C", value: "trial", secret: false, contexts: ["preview"] },
    ]);
  }));

Deno.test("a secret stays one, until a new value is said to be plain", () =>
  withProject((store, id) => {
    const isSecret = () => listed(store, id).map(({ secret }) => secret);
    store.variables.change(id, [{ name: "A", value: "1", secret: true, contexts: ["preview"] }]);
    store.variables.change(id, [{ name: "A", value: "2", contexts: BOTH }]);
    assert.deepEqual(isSecret(), [true]);
    store.variables.change(id, [{ name: "A", value: "3", secret: false, contexts: BOTH }]);
    assert.deepEqual(isSecret(), [false]);
  }));

Deno.test("of changes that cannot all be made none is", () =>
  withProject(({ variables }, id) => {
    const impossible = "staging" as DeploymentContext;
    assert.throws(() =>
      variables.change(id, [{ name: "A", value: "1", contexts: BOTH }, {
        name: "B",
        value: "1",
        contexts: [impossible],
      }])
    );
    assert.deepEqual(variables.list(id), []);
    assert.throws(() => variables.change("another", [{ name: "A", value: "1", contexts: BOTH }]));
  }));

Deno.test("variables go with their project", () =>
  withProject((store, id) => {
    store.variables.change(id, [{ name: "A", value: "1", contexts: BOTH }]);
    store.projects.delete(id);
    assert.deepEqual(store.database.all("SELECT * FROM project_variables"), []);
  }));
