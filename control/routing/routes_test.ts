import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "../model.ts";
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
  const projects = [{ id: "p", name: "shop", productionDeploymentId: ID_A, accessLog: false }];
  const table = tableOf({ projects, deployments: [], hostnames: [], branches: [], ...source });
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
  const projects = [{ id: "p", name: "shop", productionDeploymentId: null, accessLog: false }];
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

Deno.test("a branch leads to its newest deployment, unless a project is called like that", () => {
  const branches = [{ label: "next", deploymentId: ID_B }];
  const deployments = [deployment(ID_A), deployment(ID_B)];
  assert.equal(hostnames({ deployments, branches })["shop--next.isola.test"], ID_B);
  const projects = [
    { id: "p", name: "shop", productionDeploymentId: ID_A, accessLog: false },
    { id: "q", name: "shop--next", productionDeploymentId: "ccccccccccc3", accessLog: false },
  ];
  const namesake = [...deployments, deployment("ccccccccccc3", { projectId: "q" })];
  const found = hostnames({ projects, deployments: namesake, branches });
  assert.equal(found["shop--next.isola.test"], "ccccccccccc3");
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
    projects: [{ id: "p", name: "shop", productionDeploymentId: null, accessLog: false }],
    deployments: [deployment(ID_A), deployment(ID_B, { limits })],
    hostnames: [],
    branches: [],
  };
  const table = tableOf(source);
  assert.deepEqual(table.get(`shop-${ID_A}.isola.test`), {
    deploymentId: ID_A,
    maxConcurrency: 100,
    requestTimeoutMs: 0,
  });
  assert.deepEqual(table.get(`shop-${ID_B}.isola.test`), { deploymentId: ID_B, ...limits });
});

Deno.test("the access log of a project is in the routes of all its hostnames, and switching it changes them", () => {
  const source = (accessLog: boolean): RouteSource => ({
    projects: [{ id: "p", name: "shop", productionDeploymentId: ID_A, accessLog }],
    deployments: [deployment(ID_A)],
    hostnames: [{ hostname: "shop.example.com", deploymentId: ID_A }],
    branches: [],
  });
  const claims = new RouteClaims(projectRoutes(source(false), OPTIONS));
  const changes = claims.replace("p", projectRoutes(source(true), OPTIONS).get("p"));
  assert.equal(changes.size, 3);
  assert.ok([...changes.values()].every((route) => route?.accessLog === true));
});
