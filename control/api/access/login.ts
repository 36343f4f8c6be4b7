import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import type { NewToken, Principal } from "../../store/mod.ts";
import { recordChange } from "./audit.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { type SignIn, signInRoutes } from "../deployctl/sign_in_routes.ts";
import { type DeviceLogin, DeviceLogins } from "./device_logins.ts";
import { ApiError } from "../errors.ts";
import { readJson } from "../input.ts";
import { loggedInPage, LOGIN_HEADERS, loginPage } from "./login_page.ts";
import { checkedToken } from "./tokens.ts";

/** How often a command line asks whether it was let in. */
const POLL_INTERVAL_MS = 1000;
const MAX_FORM_BYTES = 16 * 1024;
/** Of bodies that strangers send: so few that they take none of what is held for those with a token. */
const MAX_BODY_BYTES = 1024;
const DAY_MS = 24 * 60 * 60_000;

const client = z.object({ client: z.string().regex(/^[^\p{C}]{1,60}$/u, "must be 1 to 60 characters") });
const device = z.object({ deviceCode: z.string().max(100) });
const form = z.object({
  code: z.string(),
  token: z.string().trim(),
  role: z.enum(["same", "write", "deploy", "read"]),
  organization: z.string().trim(),
  days: z.coerce.number().int().min(1).max(365),
});

/** What a person has allowed a command line. */
interface Grant {
  principal: Principal;
  token: NewToken;
}

/** `/login` and `/v1/device`: how a command line gets a token of its own by way of a browser, after RFC 8628. */
export function loginRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const logins = new DeviceLogins<Grant>();
  return new Hono<ApiEnv>()
    .route("/", signInRoutes(deployctlSignIn(deps, logins)))
    .post("/v1/device/code", async (c) => {
      const login = logins.begin({
        ...await readJson(c.req.raw, client, MAX_BODY_BYTES),
        address: c.env.address,
      });
      if (login === null) throw new ApiError("overloaded", "Too many logins wait: try again in some minutes");
      const { deviceCode, userCode, expiresMs } = login;
      const expiresAt = new Date(expiresMs).toISOString();
      const path = `/login?code=${userCode}`;
      return c.json({ deviceCode, userCode, path, expiresAt, intervalMs: POLL_INTERVAL_MS });
    })
    .post("/v1/device/token", async (c) => {
      const { deviceCode } = await readJson(c.req.raw, device, MAX_BODY_BYTES);
      return c.json(redeem(c, deps, logins, deviceCode), 200, { "cache-control": "no-store" });
    })
    .get("/login", (c) => {
      const code = c.req.query("code") ?? "";
      return c.html(loginPage({ code, login: logins.byUserCode(code) }), 200, LOGIN_HEADERS);
    })
    .post("/login", bodyLimit({ maxSize: MAX_FORM_BYTES, onError: tooLong }), async (c) => {
      const given = await c.req.parseBody().catch(() => {
        throw new ApiError("badRequest", "The form cannot be read");
      });
      const code = typeof given.code === "string" ? given.code : "";
      const login = logins.byUserCode(code);
      try {
        if (login === null) throw new ApiError("loginExpired", `No login waits with the code "${code}"`);
        login.grant = grant(c, deps, login, given);
        return c.html(loggedInPage(login.client), 200, LOGIN_HEADERS);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return c.html(loginPage({ code, login, problem: error.message }), 400, LOGIN_HEADERS);
      }
    });
}

function deployctlSignIn(deps: ApiDeps, logins: DeviceLogins<Grant>): SignIn {
  return {
    begin: (address) =>
      deps.health().status === "draining" ? null : logins.begin({ client: "deployctl", address }),
    redeem: (c, { deviceCode }) => redeem(c, deps, logins, deviceCode),
    end: (login) => logins.end(login),
  };
}

/** Makes the token that was allowed. Only now: of a login that nobody takes up nothing is left. */
function redeem(
  c: Context<ApiEnv>,
  { store }: ApiDeps,
  logins: DeviceLogins<Grant>,
  deviceCode: string,
) {
  const login = logins.get(deviceCode);
  if (login === null) throw new ApiError("loginExpired", "The login has expired: begin again");
  if (login.grant === null) throw new ApiError("loginPending", "Nobody has let this login in yet");
  logins.end(login);
  const { principal, token: wanted } = login.grant;
  if (!store.tokens.isUsable(principal.tokenId)) {
    throw new ApiError(
      "loginExpired",
      `The access token "${principal.name}" was revoked, or expired, meanwhile`,
    );
  }
  const { token, text } = store.tokens.create(wanted);
  c.set("principal", principal);
  if (token.organizationId !== null) c.set("organizationId", token.organizationId);
  recordChange(c, store.audit, { action: "create token", target: token.id });
  return { ...token, token: text };
}

/** @throws {ApiError} Why the person may not allow that. */
function grant(
  c: Context<ApiEnv>,
  { store, authenticator }: ApiDeps,
  login: DeviceLogin<Grant>,
  given: Record<string, unknown>,
): Grant {
  const read = form.safeParse(given);
  if (!read.success) {
    throw new ApiError("badRequest", `"${String(read.error.issues[0]!.path[0])}" is missing or wrong`);
  }
  const { token, role, organization, days } = read.data;
  const principal = authenticator.authenticate(token, c.env.address);
  c.set("principal", principal);
  const latest = store.tokens.get(principal.tokenId)?.expiresAt ?? null;
  const expiresMs = Math.min(Date.now() + days * DAY_MS, latest === null ? Infinity : Date.parse(latest));
  const wanted = checkedToken(c, store, {
    name: `${login.client} ${login.userCode}`,
    role: role === "same" ? principal.role : role,
    organizationId: organization === "" ? null : organizationIdOf(store, principal, organization),
    expiresAt: new Date(expiresMs).toISOString(),
  });
  return { principal, token: wanted };
}

/** @throws {ApiError} `organizationNotFound`: also of one that the token does not see. */
function organizationIdOf(
  { organizations }: ApiDeps["store"],
  { organizationId: own }: Principal,
  nameOrId: string,
): string {
  const id = (organizations.getByName(nameOrId) ?? organizations.get(nameOrId))?.id;
  if (id !== undefined && (own === null || own === id)) return id;
  throw new ApiError("organizationNotFound", `Organization "${nameOrId}" does not exist`);
}

function tooLong(): never {
  throw new ApiError("bodyTooLarge", `The form is longer than ${MAX_FORM_BYTES} bytes`);
}
