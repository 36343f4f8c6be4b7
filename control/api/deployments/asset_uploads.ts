import { Hono } from "hono";
import { z } from "zod";
import { MAX_FILES } from "../../model.ts";
import { gitSha1 } from "./assets.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";
import { readJson } from "../input.ts";
import { findProject } from "../projects/projects.ts";

const hashes = z.array(gitSha1).max(MAX_FILES);

/** `/v1/projects/{id}/assets`: how a client uploads only what its project has not. */
export function assetRoutes({ store }: ApiDeps): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .post("/projects/:projectId/assets/negotiate", async (c) => {
      const { id } = findProject(c, store, c.req.param("projectId"));
      const { missing } = await store.blobs.byGitSha1(id, await readJson(c.req.raw, hashes));
      return c.json(missing);
    })
    .put("/projects/:projectId/assets/:gitSha1", async (c) => {
      const project = findProject(c, store, c.req.param("projectId"));
      const hash = gitSha1.safeParse(c.req.param("gitSha1"));
      if (!hash.success) {
        throw new ApiError("badRequest", `Invalid asset hash: ${hash.error.issues[0]!.message}`);
      }
      const announced = { gitSha1: hash.data, projectId: project.id };
      const { size } = await store.blobs.put(c.req.raw.body ?? new Uint8Array(), announced);
      return c.json({ gitSha1: hash.data, size });
    });
}
