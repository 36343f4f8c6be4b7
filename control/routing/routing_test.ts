import assert from "node:assert/strict";
import type { Route, RouteChanges } from "../../runner/mod.ts";
import { DEFAULT_LIMITS, type Image } from "../model.ts";
import { Routing } from "./routing.ts";
import { openStore, type Store } from "../store/mod.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";
import { PLAIN_DEPLOYMENT } from "../store/testing/plain_deployment.ts";

const OPTIONS = { baseDomain: "isola.test", limits: DEFAULT_LIMITS };
const IMAGE: Image = { mode: "bundle", entry: "main.ts", files: {} };

/** A store, its routing, and a runner's table as it follows from the changes alone. */
class RoutedStore implements AsyncDisposable {
  readonly store: Store;
  readonly routing: Routing;
  readonly followed: Map<string, Route>;
  readonly changes: RouteChanges[] = [];
  readonly #dir: string;

  private constructor(store: Store, dir: string) {
    this.store = store;
    this.#dir = dir;
    this.routing = new Routing(store, OPTIONS);
    this.followed = new Map(this.routing.current);
    this.routing.onChange((changes) => {
      this.changes.push(changes);
      for (const [hostname, route] of changes) {
        if (route === null) this.followed.delete(hostname);
        else this.followed.set(hostname, route);
      }
      return Promise.resolve();
    });
  }

  static async open(prepare: (store: Store) => void = () => {}): Promise<RoutedStore> {
    const dir = await Deno.makeTempDir({ prefix: "isola-routing-" });
    const store = await openStore(dir);
    prepare(store);
    return new RoutedStore(store, dir);
  }

  /** What a server would serve that starts now. */
  get afresh(): ReadonlyMap<string, Route> {
    return new Routing(this.store, OPTIONS).current;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store.close();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

function createProject(store: Store, name: string): string {
  const organizationId = store.organizations.first().id;
  return store.projects.create({ organizationId, name, description: "" }).id;
}

function deploy(
  store: Store,
  projectId: string,
  domains: string[] | null = null,
  production = true,
  branch: string | null = null,
): string {
  const { id } = store.deployments.create({
    ...PLAIN_DEPLOYMENT,
    git: branch === null ? null : { sha: "0".repeat(40), branch, message: "", author: "", url: null },
    projectId,
    domains,
    production,
  });
  store.deployments.finish(id, { status: "success", image: IMAGE });
  return id;
}

Deno.test("a change is told with the hostnames that it concerns and no others, however many there are", async () => {
  await using routed = await RoutedStore.open((store) =>
    store.database.transaction(() => {
      const projectId = createProject(store, "large");
      for (let count = 0; count < 200; count++) deploy(store, projectId);
      for (let count = 0; count < 200; count++) deploy(store, createProject(store, `other-${count}`));
    })
  );
  const { store, changes } = routed;
  const projectId = createProject(store, "shop");
  const id = deploy(store, projectId);
  store.hostnames.attach(id, "shop.example.com");
  store.hostnames.detach(id, "shop.example.com");
  deploy(store, store.projects.getByName("large")!.id);
  store.projects.update(projectId, { description: "Nothing of this is routed" });
  assert.deepEqual(changes.map((change) => [...change.keys()].length), [2, 1, 1, 2]);
  assert.equal(changes[2]!.get("shop.example.com"), null);
  assert.equal(routed.routing.size, 200 + 1 + 2 * 200 + 2 + 1);
  assert.deepEqual(routed.followed, routed.afresh);
});

Deno.test("a hostname follows whoever has it, and a project's default URL comes before a custom domain", async () => {
  await using routed = await RoutedStore.open((store) => {
    // Attached when the platform had another domain.
    store.hostnames.attach(deploy(store, createProject(store, "first")), "second.isola.test");
  });
  const { store, followed } = routed;
  const first = store.projects.getByName("first")!.productionDeploymentId!;
  assert.equal(followed.get("second.isola.test")?.deploymentId, first);
  const secondId = createProject(store, "second");
  const second = deploy(store, secondId);
  assert.equal(followed.get("second.isola.test")?.deploymentId, second);
  store.hostnames.attach(first, "shop.example.com");
  store.hostnames.attach(second, "shop.example.com");
  // The one that lost it is looked at again: it has no say in it.
  deploy(store, store.projects.getByName("first")!.id);
  assert.equal(followed.get("shop.example.com")?.deploymentId, second);
  assert.equal(followed.get("second.isola.test")?.deploymentId, second);
  store.projects.delete(secondId);
  assert.equal(followed.has("shop.example.com"), false);
  assert.equal(followed.get("second.isola.test")?.deploymentId, first);
  assert.deepEqual(followed, routed.afresh);
});

Deno.test("a branch's hostname leads to its newest deployment until the branch or the last of them is gone", async () => {
  await using routed = await RoutedStore.open();
  const { store, followed } = routed;
  const projectId = createProject(store, "shop");
  const leadsTo = (label: string) => followed.get(`shop--${label}.isola.test`)?.deploymentId;
  const first = deploy(store, projectId, null, false, "feature/x");
  const second = deploy(store, projectId, null, false, "feature/x");
  assert.equal(leadsTo("feature-x"), second);
  store.deployments.promote(first);
  assert.equal(leadsTo("feature-x"), second);
  const namesake = deploy(store, projectId, null, false, "feature-x");
  const label = store.branches.labelOf(namesake)!;
  assert.match(label, /^feature-x-[0-9a-f]{8}$/);
  assert.equal(leadsTo(label), namesake);
  store.deployments.delete(second);
  assert.equal(leadsTo("feature-x"), first);
  store.deployments.delete(first);
  assert.equal(leadsTo("feature-x"), undefined);
  assert.equal(store.branches.close(projectId, "feature-x"), true);
  assert.equal(leadsTo(label), undefined);
  assert.equal(followed.get(`shop-${namesake}.isola.test`)?.deploymentId, namesake);
  assert.deepEqual(followed, routed.afresh);
});

Deno.test("a slow build does not take a branch back from a newer one", async () => {
  await using routed = await RoutedStore.open();
  const { store } = routed;
  const projectId = createProject(store, "shop");
  const git = { sha: "0".repeat(40), branch: "main", message: "", author: "", url: null };
  const { id: slow } = store.deployments.create({
    ...PLAIN_DEPLOYMENT,
    projectId,
    production: false,
    git,
  });
  const fast = deploy(store, projectId, null, false, "main");
  store.deployments.finish(slow, { status: "success", image: IMAGE });
  assert.equal(routed.followed.get("shop--main.isola.test")?.deploymentId, fast);
});

Deno.test("whatever is done in whatever order, the changes lead to the table of a fresh start", async () => {
  await using routed = await RoutedStore.open();
  const { store } = routed;
  const random = new SeededRandom(20261122);
  const hostnames = ["a.example.com", "b.example.com", "one.isola.test", "two.isola.test"];
  const names = ["one", "two", "three", "four", "one--next"];
  const branches = ["next", "Next", "main"];
  const templates = ["{project.name}.example.org", "{project.name}-{deployment.id}.isola.test", ...hostnames];
  /** Does something to one of those that there are, if there are any. */
  const withOne = (of: "projects" | "deployments", use: (id: string) => void) => {
    const ids = store.routes()[of].map(({ id }) => id);
    if (ids.length > 0) use(random.pick(ids));
  };
  const withFreeName = (use: (name: string) => void) => {
    const free = names.filter((name) => store.projects.getByName(name) === null);
    if (free.length > 0) use(random.pick(free));
  };
  const steps: (() => void)[] = [
    () => withFreeName((name) => createProject(store, name)),
    () => withOne("projects", (id) => deploy(store, id, null, random.chance(0.5))),
    () => withOne("projects", (id) => deploy(store, id, null, false, random.pick(branches))),
    () => withOne("projects", (id) => store.branches.close(id, random.pick(branches))),
    () => withOne("projects", (id) => deploy(store, id, [random.pick(templates)], random.chance(0.5))),
    () => withOne("projects", (id) => withFreeName((name) => store.projects.update(id, { name }))),
    () => withOne("projects", (id) => random.chance(0.3) && store.projects.delete(id)),
    () => withOne("deployments", (id) => store.deployments.promote(id)),
    () => withOne("deployments", (id) => store.deployments.delete(id)),
    () => withOne("deployments", (id) => store.hostnames.attach(id, random.pick(hostnames))),
    () => withOne("projects", (id) => store.hostnames.attachToProduction(id, random.pick(hostnames))),
    () => withOne("deployments", (id) => store.hostnames.detach(id, random.pick(hostnames))),
  ];
  for (let step = 0; step < 400; step++) {
    random.pick(steps)();
    assert.deepEqual(routed.followed, routed.afresh, `after step ${step}`);
    assert.equal(routed.routing.size, routed.followed.size);
  }
});
