import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "./model.ts";
import { type RouteSource, routeTable } from "./routes.ts";

const OPTIONS = { baseDomain: "isola.test", limits: DEFAULT_LIMITS };
const ID_A = "aaaaaaaaaaa1";
const ID_B = "bbbbbbbbbbb2";

const deployment = (id: string, changes = {}) => ({
  id,
  projectId: "p",
  limits: {},
  defaultUrls: true,
  ...changes,
});

function hostnames(source: Partial<RouteSource>): Record<string, string> {
  const projects = [{ id: "p", name: "shop", productionDeploymentId: ID_A }];
  const table = routeTable({ projects, deployments: [], domains: [], ...source }, OPTIONS);
  return Object.fromEntries([...table].map(([hostname, route]) => [hostname, route.deploymentId]));
}

Deno.test("a project's hostname leads to its production, each deployment's own to it", () => {
  assert.deepEqual(hostnames({ deployments: [deployment(ID_A), deployment(ID_B)] }), {
    "shop.isola.test": ID_A,
    [`shop-${ID_A}.isola.test`]: ID_A,
    [`shop-${ID_B}.isola.test`]: ID_B,
  });
});

Deno.test("a project without production has previews only", () => {
  const projects = [{ id: "p", name: "shop", productionDeploymentId: null }];
  assert.deepEqual(hostnames({ projects, deployments: [deployment(ID_A)] }), {
    [`shop-${ID_A}.isola.test`]: ID_A,
  });
});

Deno.test("a deployment with a list of domains has those alone", () => {
  assert.deepEqual(
    hostnames({
      deployments: [deployment(ID_A, { defaultUrls: false }), deployment(ID_B, { defaultUrls: false })],
      domains: [{ hostname: "shop.example.com", deploymentId: ID_A }],
    }),
    { "shop.example.com": ID_A },
  );
});

Deno.test("a custom domain of a deployment that has not succeeded leads nowhere, and none hides a default URL", () => {
  assert.deepEqual(
    hostnames({
      deployments: [deployment(ID_A), deployment(ID_B)],
      domains: [
        { hostname: "pending.example.com", deploymentId: "ccccccccccc3" },
        { hostname: "shop.isola.test", deploymentId: ID_B },
      ],
    })["shop.isola.test"],
    ID_A,
  );
  const domains = [{ hostname: "pending.example.com", deploymentId: "ccccccccccc3" }];
  assert.deepEqual(hostnames({ domains }), {});
});

Deno.test("limits of a deployment come before those of the machine", () => {
  const limits = { maxConcurrency: 7, requestTimeoutMs: 1500 };
  const source = {
    projects: [{ id: "p", name: "shop", productionDeploymentId: null }],
    deployments: [deployment(ID_A), deployment(ID_B, { limits })],
    domains: [],
  };
  const table = routeTable(source, OPTIONS);
  assert.deepEqual(table.get(`shop-${ID_A}.isola.test`), {
    deploymentId: ID_A,
    maxConcurrency: 100,
    requestTimeoutMs: 0,
  });
  assert.deepEqual(table.get(`shop-${ID_B}.isola.test`), { deploymentId: ID_B, ...limits });
});

Deno.test("the table of 10,000 deployments takes less than 50 ms", () => {
  const projects = Array.from({ length: 1000 }, (_, index) => ({
    id: `p${index}`,
    name: `project-${index}`,
    productionDeploymentId: `d${index}`,
  }));
  const deployments = Array.from(
    { length: 10_000 },
    (_, index) => deployment(`d${index}`, { projectId: `p${index % 1000}` }),
  );
  const domains = deployments.map(({ id }) => ({ hostname: `${id}.example.com`, deploymentId: id }));
  // The fastest of a few: the machine may be busy with something else.
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    assert.equal(routeTable({ projects, deployments, domains }, OPTIONS).size, 21_000);
    return performance.now() - start;
  });
  assert.ok(Math.min(...times) < 50, `${times}`);
});
