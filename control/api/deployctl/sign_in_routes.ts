import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Context, Hono } from "hono";
import type { DeviceLogin } from "../access/device_logins.ts";
import type { ApiEnv } from "../deps.ts";
import { ApiError, toApiError } from "../errors.ts";

/** How often it is looked whether the login was let in. */
const POLL_INTERVAL_MS = 500;
/** The client's has 43 characters. */
const MAX_VERIFIER_BYTES = 200;

type Login = Pick<DeviceLogin<unknown>, "deviceCode" | "userCode">;

/** The logins that are waited for here. */
export interface SignIn {
  /** Begins a login of an address; `null` if too many wait. */
  begin(address: string): Login | null;
  /** @throws {ApiError} `loginPending`; `loginExpired` */
  redeem(c: Context<ApiEnv>, login: Login): { token: string };
  end(login: Login): void;
}

/**
 * How `deployctl` signs in when it was given no token: it sends a verifier, opens a page in a browser that names the
 * verifier's SHA-256, and reads the token from the answer to its first call. The page is that of `isola login`.
 */
export function signInRoutes(logins: SignIn): Hono<ApiEnv> {
  /** Codes for the page by challenge, for as long as their verifier's call is answered. */
  const userCodes = new Map<string, string>();
  return new Hono<ApiEnv>()
    .post("/api/signin/cli/access_token", async (c) => {
      if (!(Number(c.req.header("content-length")) <= MAX_VERIFIER_BYTES)) {
        throw new ApiError("bodyTooLarge", `The verifier is longer than ${MAX_VERIFIER_BYTES} bytes`);
      }
      const challenge = createHash("sha256").update(await c.req.text()).digest("base64url");
      const login = logins.begin(c.env.address);
      if (login === null) return c.json({ error: "too many logins wait: try again in some minutes" });
      userCodes.set(challenge, login.userCode);
      return tokenResponse((signal) => tokenOf(c, logins, login, signal), () => {
        userCodes.delete(challenge);
        logins.end(login);
      });
    })
    .get("/signin/cli", (c) => {
      const code = userCodes.get(c.req.query("claim_challenge") ?? "") ?? "";
      return c.redirect(`/login?code=${code}`, 303);
    });
}

/** The client goes on when it has the head; the body is there once there is something to tell. */
function tokenResponse(answer: (signal: AbortSignal) => Promise<unknown>, ended: () => void): Response {
  const gone = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const told = await answer(gone.signal).finally(ended);
      if (gone.signal.aborted) return;
      controller.enqueue(new TextEncoder().encode(JSON.stringify(told)));
      controller.close();
    },
    cancel() {
      gone.abort();
      ended();
    },
  }, { highWaterMark: 0 });
  return new Response(body, { headers: { "content-type": "application/json", "cache-control": "no-store" } });
}

async function tokenOf(
  c: Context<ApiEnv>,
  logins: SignIn,
  login: Login,
  signal: AbortSignal,
): Promise<{ token: string } | { error: string }> {
  // Ended by the login's own expiry.
  while (!signal.aborted) {
    try {
      return { token: logins.redeem(c, login).token };
    } catch (error) {
      const { code, message } = toApiError(error, c);
      if (code !== "loginPending") return { error: message };
    }
    await delay(POLL_INTERVAL_MS, undefined, { signal }).catch(() => {});
  }
  return { error: "the client is gone" };
}
