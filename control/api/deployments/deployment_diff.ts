import { Hono } from "hono";
import { z } from "zod";
import { type Compared, diffDeployments } from "../../deployments/diff.ts";
import type { DeploymentRecord } from "../../store/mod.ts";
import { Turn } from "../../scheduling/turn.ts";
import { deploymentJson } from "./deployment_json.ts";
import { findDeployment } from "./deployments.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readQuery } from "../input.ts";

const query = z.object({ to: z.string("must be the id of the other deployment") });

/** `/v1/deployments/{id}/diff?to={id}`: what would be different with the other in its place. */
export function deploymentDiffRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>().get("/deployments/:deploymentId/diff", async (c) => {
    const from = findDeployment(c, store, c.req.param("deploymentId"));
    const to = findDeployment(c, store, readQuery(c.req.query(), query).to);
    if (from.project.id !== to.project.id) {
      throw new ApiError(
        "badRequest",
        `Cannot compare deployment "${from.record.id}" with "${to.record.id}": it is one of another project`,
      );
    }
    const turn = new Turn();
    const before = compared(deps, from.record);
    if (turn.isOver()) await turn.next();
    const after = compared(deps, to.record);
    if (turn.isOver()) await turn.next();
    return c.json({
      from: deploymentJson(deps, from.record, from.project),
      to: deploymentJson(deps, to.record, to.project),
      ...diffDeployments(before, after),
    });
  });
}

function compared({ store }: ApiDeps, record: DeploymentRecord): Compared {
  return {
    record,
    files: store.deployments.snapshot(record.id)?.files ?? {},
    attached: store.hostnames.attachedTo(record.id),
  };
}
