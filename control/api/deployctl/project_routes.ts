import { type Context, Hono } from "hono";
import { z } from "zod";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { readJson } from "../input.ts";
import { findOrganization } from "../access/organizations.ts";
import { projectName } from "../projects/project_name.ts";
import { createProject, deleteProject, productionOf } from "../projects/projects.ts";
import type { Project } from "../../model.ts";
import { StoreError } from "../../store/mod.ts";
import { buildJson } from "./build_json.ts";
import { namedProject } from "./named_project.ts";
import { projectJson } from "./project_json.ts";

/** Domains and databases shown of one project. The client asks for no pages. */
const MAX_SHOWN = 1000;

const createBody = z.object({ name: z.string().nullish(), organizationId: z.string().nullish() });
const renameBody = z.object({ name: projectName });

/** `/projects…` apart from their deployments. */
export function projectRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .on("POST", ["/projects", "/projects/"], (c) => create(c, deps))
    .get("/projects/:project", (c) => {
      const project = namedProject(c, store, c.req.param("project"));
      const production = productionOf(store, project);
      const shown = projectJson(store, project);
      return c.json({
        ...shown,
        productionDeployment: production && { ...buildJson(deps, production, project), project: shown },
      });
    })
    .patch("/projects/:project", async (c) => {
      const { id } = namedProject(c, store, c.req.param("project"));
      const { name } = await readJson(c.req.raw, renameBody);
      store.projects.update(id, { name });
      await deps.routed();
      return c.json(projectJson(store, namedProject(c, store, id)));
    })
    .delete("/projects/:project", async (c) => {
      const { id } = namedProject(c, store, c.req.param("project"));
      await deleteProject(deps, id);
      return c.json(null);
    })
    .get("/projects/:project/domains", (c) => {
      const { id, organizationId } = namedProject(c, store, c.req.param("project"));
      const { items } = store.domains.list(organizationId, {
        page: 1,
        limit: MAX_SHOWN,
        q: null,
        sort: "domain",
        order: "asc",
      });
      const own = items.filter(({ domain }) => store.hostnames.target(domain)?.projectId === id);
      return c.json(own.map(({ domain, isValidated }) => ({ domain, isValidated })));
    })
    .get("/projects/:project/databases", (c) => {
      const project = namedProject(c, store, c.req.param("project"));
      return c.json(databasesOf(deps, project));
    });
}

/** The client looks for another name when it is told by these codes that one cannot be had. */
async function create(c: Context<ApiEnv>, { store }: ApiDeps): Promise<Response> {
  const { name, organizationId } = await readJson(c.req.raw, createBody);
  const principal = c.get("principal");
  const owner = findOrganization(
    c,
    store,
    organizationId ?? principal.organizationId ?? store.organizations.first().id,
  );
  const valid = projectName.nullish().safeParse(name);
  if (!valid.success) {
    const message = `Invalid project name "${name}": ${valid.error.issues[0]!.message}`;
    return c.json({ code: "slugInvalid", message }, 400);
  }
  try {
    const settings = { organizationId: owner.id, description: "", untrusted: false };
    return c.json(projectJson(store, createProject(store, valid.data ?? null, settings)));
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "nameTaken")) throw error;
    return c.json({ code: "projectNameInUse", message: error.message }, 400);
  }
}

/** The databases that the production of a project has. */
function databasesOf({ store, region }: ApiDeps, project: Project) {
  const production = productionOf(store, project);
  return Object.entries(production?.databases ?? {}).slice(0, MAX_SHOWN).flatMap(([bindingName, id]) => {
    const database = store.databases.get(id);
    if (database === null) return [];
    const { description, createdAt, updatedAt } = database;
    return {
      branch: "",
      databaseId: id,
      bindingName,
      description,
      availableRegions: [region],
      createdAt,
      updatedAt,
    };
  });
}
