import { Hono } from "hono";
import { randomBytes } from "node:crypto";
import { Places } from "../../git/push/places.ts";
import { verifyWebhook, type WebhookVerdict } from "../../git/webhook_signature.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";

/** By which header providers name the event; those of Forgejo and Gitea first, who send GitHub's as well. */
const EVENT_HEADERS = ["x-forgejo-event", "x-gitea-event", "x-gitlab-event", "x-github-event"];
/** After which branches may be others than before. */
const EVENTS = ["push", "create", "delete", "Push Hook", "System Hook"];
/** Bodies that are read at once; more senders are to try again. One address has half of the places: nobody knows yet who it is. */
const MAX_AT_ONCE = 32;
const SHARE_OF_ADDRESS = 0.5;
/** How long a sender may take. */
const TIMEOUT_MS = 30_000;
/** A webhook for a project that takes none is checked, too: whoever sends it learns nothing of that. */
const NOBODYS_SECRET = randomBytes(32).toString("hex");

/** `/git/webhooks/{projectId}`: providers tell that a repository has changed. */
export function webhookRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { gitLinks } = deps.store;
  const reading = new Places(MAX_AT_ONCE, 0, SHARE_OF_ADDRESS);
  const read = async (request: Request, secret: string, address: string) => {
    using _place = await reading.take(address);
    return await verified(request, secret);
  };
  return new Hono<ApiEnv>().post("/:projectId", async (c) => {
    const projectId = c.req.param("projectId");
    const secret = gitLinks.webhookSecret(projectId);
    const verdict = await read(c.req.raw, secret ?? NOBODYS_SECRET, c.env.address);
    if (verdict.state !== "accepted") throw refusal(verdict.state);
    const event = EVENT_HEADERS.map((name) => c.req.header(name)).find((value) => value !== undefined);
    if (event === "ping") return c.json({ message: "The webhook arrives" });
    if (event !== undefined && !EVENTS.includes(event)) {
      return c.json({ message: `Nothing to do for event "${event.slice(0, 100)}"` });
    }
    if (!gitLinks.accept(projectId, verdict.digest)) {
      throw new ApiError(
        "deliveryRepeated",
        "This delivery was accepted before. To look at the repository again: isola git sync",
      );
    }
    deps.follower.wake(projectId);
    return c.json({ message: "The repository is looked at" }, 202);
  });
}

async function verified({ headers, body }: Request, secret: string): Promise<WebhookVerdict> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new ApiError("badRequest", `The webhook took longer than ${TIMEOUT_MS / 1000} s`)),
    TIMEOUT_MS,
  );
  try {
    const bounded = body?.pipeThrough(new TransformStream(), { signal: late.signal }) ?? null;
    return await verifyWebhook({ headers, body: bounded }, secret);
  } catch (error) {
    // Nobody reads that answer, but the server's log does not have to tell of each.
    throw error instanceof ApiError ? error : new ApiError("badRequest", "The webhook broke off");
  } finally {
    clearTimeout(timer);
  }
}

function refusal(state: Exclude<WebhookVerdict["state"], "accepted">): ApiError {
  switch (state) {
    case "tooLarge":
      return new ApiError("bodyTooLarge", "The webhook is longer than 25 MiB");
    case "stale":
      return new ApiError(
        "unauthorized",
        "The webhook was signed more than 5 minutes ago, or this clock is wrong",
      );
    case "unsigned":
      return new ApiError(
        "unauthorized",
        "The webhook is not signed: enter the secret of the project's git link where the webhook is registered",
      );
    case "wrong":
      return new ApiError(
        "unauthorized",
        "The webhook is not signed with the secret of a project that is linked: see isola git show",
      );
  }
}
