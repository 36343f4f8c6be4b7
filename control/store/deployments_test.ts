import assert from "node:assert/strict";
import type { Image, Project } from "../model.ts";
import type { NewDeployment } from "./deployments.ts";
import { openStore, type Store } from "./store.ts";

const IMAGE: Image = { mode: "tree", entry: "main.ts", files: {} };

async function withProject(work: (store: Store, project: Project) => void): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-deployments-" });
  try {
    using store = await openStore(dir);
    const organizationId = store.organizations.first().id;
    work(store, store.projects.create({ organizationId, name: "shop", description: "" }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function create(store: Store, project: Project, changes: Partial<NewDeployment> = {}): string {
  return store.deployments.create({
    projectId: project.id,
    description: null,
    source: { entrypoint: "main.ts", importMap: "", lockFile: null, compilerOptions: { jsx: "react" } },
    files: { "main.ts": { kind: "symlink", target: "x" } },
    env: { A: "1" },
    net: null,
    limits: {},
    domains: null,
    production: null,
    ...changes,
  }).id;
}

function succeed(store: Store, project: Project, changes: Partial<NewDeployment> = {}): string {
  const id = create(store, project, changes);
  assert.ok(store.deployments.finish(id, { status: "success", image: IMAGE }));
  return id;
}

const production = (store: Store, { id }: Project) => store.projects.get(id)?.productionDeploymentId;

Deno.test("a deployment is read as it was recorded, its files apart", () =>
  withProject((store, project) => {
    const id = create(store, project, { net: [], limits: { memoryMb: 64 }, domains: [], production: false });
    assert.match(id, /^[a-z0-9]{12}$/);
    const { createdAt, updatedAt, ...record } = store.deployments.get(id)!;
    assert.equal(createdAt, updatedAt);
    assert.deepEqual(record, {
      id,
      projectId: project.id,
      status: "pending",
      description: null,
      source: { entrypoint: "main.ts", importMap: "", lockFile: null, compilerOptions: { jsx: "react" } },
      env: { A: "1" },
      projectEnv: {},
      context: "production",
      databases: {},
      redeployOf: null,
      git: null,
      net: [],
      limits: { memoryMb: 64 },
      domains: [],
      production: false,
      promotedAt: null,
    });
    const files = { "main.ts": { kind: "symlink", target: "x" } };
    assert.deepEqual(store.deployments.snapshot(id), { files, image: null });
    store.deployments.finish(id, { status: "success", image: IMAGE });
    assert.deepEqual(store.deployments.snapshot(id), { files, image: IMAGE });
    assert.equal(store.deployments.get("nothere"), null);
    assert.equal(store.deployments.snapshot("nothere"), null);
  }));

Deno.test("a deployment or image that names unknown content is refused whole", () =>
  withProject((store, project) => {
    const files = { "main.ts": { kind: "file" as const, sha256: "0".repeat(64), size: 1 } };
    assert.throws(() => create(store, project, { files }), { code: "blobMissing" });
    const options = { page: 1, limit: 10, q: null, sort: "id", order: "asc" } as const;
    assert.equal(store.deployments.list(project.id, options).total, 0);

    const id = create(store, project);
    const finish = () => store.deployments.finish(id, { status: "success", image: { ...IMAGE, files } });
    assert.throws(finish, { code: "blobMissing" });
    assert.equal(store.deployments.get(id)?.status, "pending");
  }));

Deno.test("a build ends once: what succeeded or failed stays so", () =>
  withProject((store, project) => {
    const id = create(store, project);
    assert.deepEqual(store.pendingDeployments(), [id]);
    assert.ok(store.deployments.finish(id, { status: "failed" }));
    assert.ok(!store.deployments.finish(id, { status: "success", image: IMAGE }));
    assert.equal(store.deployments.get(id)?.status, "failed");
    assert.deepEqual(store.pendingDeployments(), []);
    assert.ok(!store.deployments.finish("nothere", { status: "failed" }));
  }));

Deno.test("the first success becomes production, later ones only if wanted", () =>
  withProject((store, project) => {
    const failed = create(store, project);
    store.deployments.finish(failed, { status: "failed" });
    assert.equal(production(store, project), null);
    const preview = succeed(store, project, { production: false });
    assert.equal(production(store, project), null);
    const first = succeed(store, project);
    assert.equal(production(store, project), first);
    succeed(store, project);
    assert.equal(production(store, project), first);
    const wanted = succeed(store, project, { production: true });
    assert.equal(production(store, project), wanted);
    assert.ok(store.deployments.promote(preview));
    assert.equal(production(store, project), preview);
    assert.ok(!store.deployments.promote(failed));
    assert.ok(!store.deployments.promote("nothere"));
  }));

Deno.test("a slow build does not roll production or a domain back", () =>
  withProject((store, project) => {
    const wanted = { production: true, domains: ["shop.example.com"] };
    const slow = create(store, project, wanted);
    const quick = succeed(store, project, wanted);
    store.deployments.finish(slow, { status: "success", image: IMAGE });
    assert.equal(production(store, project), quick);
    assert.deepEqual(store.hostnames.of(slow), []);
    assert.deepEqual(store.hostnames.of(quick), ["shop.example.com"]);
  }));

Deno.test("deleting production leaves the project without, deleting a project takes its deployments along", () =>
  withProject((store, project) => {
    const first = succeed(store, project, { domains: ["a.example.com"] });
    const second = succeed(store, project);
    assert.ok(store.deployments.delete(first));
    assert.ok(!store.deployments.delete(first));
    assert.equal(production(store, project), null);
    assert.deepEqual(store.routes().hostnames, []);
    assert.deepEqual(store.projects.delete(project.id), [second]);
    assert.equal(store.projects.delete(project.id), null);
    assert.equal(store.deployments.get(second), null);
    assert.equal(store.database.get<{ n: number }>("SELECT count(*) AS n FROM snapshots")?.n, 0);
  }));

Deno.test("domains move to the latest that succeeded, and templates follow the project's name", () =>
  withProject((store, project) => {
    const domains = ["{project.name}.example.com", "{deployment.id}.example.com", "fixed.example.com"];
    const first = succeed(store, project, { domains });
    const second = succeed(store, project, { domains });
    assert.deepEqual(store.hostnames.of(first), [`${first}.example.com`]);
    assert.deepEqual(
      store.hostnames.of(second).sort(),
      [`${second}.example.com`, "fixed.example.com", "shop.example.com"].sort(),
    );

    store.projects.update(project.id, { name: "store" });
    assert.ok(store.hostnames.of(second).includes("store.example.com"));
    assert.ok(!store.hostnames.of(second).includes("shop.example.com"));

    store.hostnames.attach(first, "fixed.example.com");
    assert.ok(!store.hostnames.of(second).includes("fixed.example.com"));
    assert.ok(!store.hostnames.detach(second, "fixed.example.com"));
    assert.ok(store.hostnames.detach(first, "fixed.example.com"));
  }));

Deno.test("a hostname attached to production leads to whatever is, through promotions and times without", () =>
  withProject((store, project) => {
    store.hostnames.attachToProduction(project.id, "shop.example.com");
    const target = () => store.hostnames.target("shop.example.com");
    const { id: projectId, organizationId } = project;
    assert.deepEqual(target(), { organizationId, projectId, deploymentId: null });
    assert.deepEqual(store.routes().hostnames, []);

    const first = succeed(store, project);
    const second = succeed(store, project);
    const leadsTo = (deploymentId: string) => {
      assert.deepEqual(target(), { organizationId, projectId, deploymentId });
      assert.deepEqual(store.routes().hostnames, [{ hostname: "shop.example.com", deploymentId }]);
      assert.deepEqual(store.routes(projectId).hostnames, store.routes().hostnames);
      assert.deepEqual(store.hostnames.of(deploymentId), ["shop.example.com"]);
    };
    leadsTo(first);
    store.deployments.promote(second);
    leadsTo(second);
    assert.deepEqual(store.hostnames.of(first), []);
    store.projects.update(projectId, { name: "store" });
    leadsTo(second);
    store.deployments.delete(second);
    assert.deepEqual(store.routes().hostnames, []);
    store.deployments.promote(first);
    leadsTo(first);

    store.hostnames.attach(first, "shop.example.com");
    const third = succeed(store, project, { production: true });
    leadsTo(first);
    store.hostnames.attachToProduction(projectId, "shop.example.com");
    leadsTo(third);
    assert.ok(!store.hostnames.detach(first, "shop.example.com"));
    assert.ok(store.hostnames.detach(third, "shop.example.com"));
    assert.equal(target(), null);
    assert.ok(!store.hostnames.release("shop.example.com"));
    store.hostnames.attachToProduction(projectId, "shop.example.com");
    store.projects.delete(projectId);
    assert.equal(target(), null);
  }));

Deno.test("every change of the routes is announced, and nothing else", () =>
  withProject((store, project) => {
    let announced = 0;
    const stop = store.onRoutesChanged(() => announced++);
    const expectAnnounced = (expected: boolean, change: () => unknown) => {
      announced = 0;
      change();
      assert.equal(announced > 0, expected, change.toString());
    };
    let id = "";
    expectAnnounced(false, () => id = create(store, project));
    expectAnnounced(true, () => store.deployments.finish(id, { status: "success", image: IMAGE }));
    expectAnnounced(true, () => store.deployments.promote(id));
    expectAnnounced(true, () => store.hostnames.attach(id, "a.example.com"));
    expectAnnounced(true, () => store.hostnames.detach(id, "a.example.com"));
    expectAnnounced(false, () => store.hostnames.detach(id, "a.example.com"));
    expectAnnounced(true, () => store.hostnames.attachToProduction(project.id, "a.example.com"));
    expectAnnounced(true, () => store.hostnames.release("a.example.com"));
    expectAnnounced(false, () => store.hostnames.release("a.example.com"));
    expectAnnounced(false, () => store.projects.update(project.id, { description: "x" }));
    expectAnnounced(true, () => store.projects.update(project.id, { name: "other" }));
    expectAnnounced(true, () => store.deployments.delete(id));
    expectAnnounced(true, () => store.projects.delete(project.id));
    stop();
    expectAnnounced(false, () => store.deployments.promote(id));
  }));

Deno.test("lists are sorted, searched and paged", () =>
  withProject((store, project) => {
    const ids = Array.from({ length: 7 }, () => create(store, project));
    const options = { page: 1, limit: 3, q: null, sort: "created_at", order: "asc" } as const;
    const list = (changes: object) => {
      const { items, total } = store.deployments.list(project.id, { ...options, ...changes });
      return { ids: items.map((item) => item.id), total };
    };
    assert.deepEqual(list({}), { ids: ids.slice(0, 3), total: 7 });
    assert.deepEqual(list({ page: 3 }), { ids: ids.slice(6), total: 7 });
    assert.deepEqual(list({ page: 4 }), { ids: [], total: 7 });
    assert.deepEqual(list({ order: "desc" }).ids, ids.toReversed().slice(0, 3));
    assert.deepEqual(list({ sort: "id", limit: 100 }).ids, ids.toSorted());
    assert.deepEqual(list({ q: ids[4]!.slice(2) }), { ids: [ids[4]], total: 1 });
    assert.deepEqual(list({ q: "%" }), { ids: [], total: 0 });
  }));

Deno.test("project names are unique, and can be given up and taken", () =>
  withProject((store, project) => {
    const input = { organizationId: project.organizationId, description: "" };
    assert.throws(() => store.projects.create({ ...input, name: "shop" }), { code: "nameTaken" });
    const other = store.projects.create({ ...input, name: "other" });
    assert.throws(() => store.projects.update(other.id, { name: "shop" }), { code: "nameTaken" });
    assert.equal(store.projects.update(project.id, { name: "shop", description: "d" })?.description, "d");
    store.projects.update(project.id, { name: "moved" });
    assert.equal(store.projects.update(other.id, { name: "shop" })?.name, "shop");
    assert.equal(store.projects.update("nothere", { name: "x" }), null);
    const { items, total } = store.projects.list(project.organizationId, {
      page: 1,
      limit: 10,
      q: "o",
      sort: "name",
      order: "desc",
    });
    assert.deepEqual([items.map((item) => item.name), total], [["shop", "moved"], 2]);
  }));
