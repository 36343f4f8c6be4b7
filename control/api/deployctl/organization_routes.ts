import { Hono } from "hono";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { readJson } from "../input.ts";
import { findOrganization, organizationBody } from "../access/organizations.ts";
import type { Listed, ListOptions } from "../../store/mod.ts";
import { Turn } from "../../scheduling/turn.ts";
import { organizationJson, projectJson } from "./project_json.ts";

const PAGE = 100;
/** Organizations, or projects of one, that are shown. The client asks for no pages. */
const MAX_SHOWN = 10_000;

/** `/organizations`. */
export function organizationRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get("/organizations", async (c) => {
      const { organizationId } = c.get("principal");
      return c.json(
        await all((options) => store.organizations.list(organizationId, options), organizationJson),
      );
    })
    .post("/organizations", async (c) => {
      const { name } = await readJson(c.req.raw, organizationBody);
      return c.json(organizationJson(store.organizations.create(name)));
    })
    .get("/organizations/:organization", async (c) => {
      const organization = findOrganization(c, store, c.req.param("organization"));
      const { projectId } = c.get("principal");
      const projects = await all(
        (options) => store.projects.list(organization.id, options, projectId),
        (project) => projectJson(store, project),
      );
      return c.json({ ...organizationJson(organization), projects });
    });
}

/** All pages of a list, by name. Between them the event loop gets its turn. */
async function all<Item, Shown>(
  list: (options: ListOptions<"name">) => Listed<Item>,
  show: (item: Item) => Shown,
): Promise<Shown[]> {
  const turn = new Turn();
  const found: Shown[] = [];
  for (let page = 1; page <= MAX_SHOWN / PAGE; page++) {
    const { items } = list({ page, limit: PAGE, q: null, sort: "name", order: "asc" });
    found.push(...items.map(show));
    if (items.length < PAGE) break;
    if (turn.isOver()) await turn.next();
  }
  return found;
}
