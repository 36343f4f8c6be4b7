import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "./model.ts";
import { RouteClaims } from "./route_claims.ts";
import { projectRoutes, type RouteSource } from "./routes.ts";

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

function tableOf(source: RouteSource) {
  return new RouteClaims(projectRoutes(source, OPTIONS)).table;
}

function hostnames(source: Partial<RouteSource>): Record<string, string> {
  const projects = [{ id: "p", name: "shop", productionDeploymentId: ID_A }];
  const table = tableOf({ projects, deployments: [], hostnames: [], ...source });
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
      hostnames: [{ hostname: "shop.example.com", deploymentId: ID_A }],
    }),
    { "shop.example.com": ID_A },
  );
});

Deno.test("a custom domain of a deployment that has not succeeded leads nowhere, and none hides a default URL", () => {
  assert.deepEqual(
    hostnames({
      deployments: [deployment(ID_A), deployment(ID_B)],
      hostnames: [
        { hostname: "pending.example.com", deploymentId: "ccccccccccc3" },
        { hostname: "shop.isola.test", deploymentId: ID_B },
      ],
    })["shop.isola.test"],
    ID_A,
  );
  const attached = [{ hostname: "pending.example.com", deploymentId: "ccccccccccc3" }];
  assert.deepEqual(hostnames({ hostnames: attached }), {});
});

Deno.test("limits of a deployment come before those of the machine", () => {
  const limits = { maxConcurrency: 7, requestTimeoutMs: 1500 };
  const source = {
    projects: [{ id: "p", name: "shop", productionDeploymentId: null }],
    deployments: [deployment(ID_A), deployment(ID_B, { limits })],
    hostnames: [],
  };
  const table = tableOf(source);
  assert.deepEqual(table.get(`shop-${ID_A}.isola.test`), {
    deploymentId: ID_A,
    maxConcurrency: 100,
    requestTimeoutMs: 0,
  });
  assert.deepEqual(table.get(`shop-${ID_B}.isola.test`), { deploymentId: ID_B, ...limits });
});
