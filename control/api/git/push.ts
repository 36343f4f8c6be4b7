import { type Context, Hono } from "hono";
import { admits, permits } from "../access/access.ts";
import { recordChange } from "../access/audit.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { ApiError, errorResponse, toApiError } from "../errors.ts";
import { untilRevoked } from "../access/revocation.ts";
import type { Project } from "../../model.ts";
import type { Role } from "../../store/mod.ts";
import { deployBranches } from "../../git/push/deploy_branches.ts";
import { FLUSH, packet } from "../../git/push/pkt_line.ts";
import { receivePush } from "../../git/push/receive_push.ts";

/** RFC 7617 section 2. */
const BASIC = /^Basic +([A-Za-z0-9+/]+=*) *$/i;
/** For a list of branches, and for all that a clone takes. */
const ADVERTISE_TIMEOUT_MS = 30_000;
const UPLOAD_TIMEOUT_MS = 10 * 60_000;
/** What each of Git's services takes. */
const SERVICES = { "git-receive-pack": "deploy", "git-upload-pack": "read" } as const satisfies Record<
  string,
  Role
>;

type Service = keyof typeof SERVICES;

/**
 * `/git/{project}.git`, by Git's smart HTTP (gitprotocol-http(5)). The password is an access token, the user's name is not
 * looked at.
 */
export function pushRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { repositories } = deps;
  return new Hono<ApiEnv>()
    .onError(plainError)
    .get("/:repository{[^/]+\\.git}/info/refs", async (c) => {
      const service = c.req.query("service") ?? "";
      if (!isService(service)) {
        throw new ApiError("badRequest", "Only Git's smart HTTP is spoken here: use a newer git");
      }
      const project = findRepository(c, deps, service);
      if (service === "git-upload-pack") await assertPushed(deps, project);
      else if (!await repositories.has(project.id)) await repositories.change(project.id, async () => {});
      const output = repositories.read(project.id, {
        args: [
          service.slice("git-".length),
          "--stateless-rpc",
          "--advertise-refs",
          repositories.pathInside(project.id),
        ],
        timeoutMs: ADVERTISE_TIMEOUT_MS,
      });
      const start = [packet(new TextEncoder().encode(`# service=${service}\n`)), FLUSH];
      return respond(service, "advertisement", ReadableStream.from(joined(start, output)));
    })
    .post("/:repository{[^/]+\\.git}/git-upload-pack", async (c) => {
      const project = findRepository(c, deps, "git-upload-pack");
      await assertPushed(deps, project);
      const output = repositories.read(project.id, {
        args: ["upload-pack", "--stateless-rpc", repositories.pathInside(project.id)],
        stdin: bodyOf(c),
        timeoutMs: UPLOAD_TIMEOUT_MS,
      });
      return respond("git-upload-pack", "result", ReadableStream.from(output));
    })
    .post("/:repository{[^/]+\\.git}/git-receive-pack", async (c) => {
      const project = findRepository(c, deps, "git-receive-pack");
      const body = untilRevoked(bodyOf(c), deps.store.tokens, c.get("principal"));
      const answer = await receivePush(body, {
        repositories,
        projectId: project.id,
        follower: {
          async pushed(pushed, tell) {
            recordChange(c, deps.store.audit, { action: "push", target: project.id });
            await deployBranches(deps, { projectId: project.id, ...pushed, tell });
          },
        },
      });
      return respond("git-receive-pack", "result", answer);
    });
}

function isService(name: string): name is Service {
  return Object.hasOwn(SERVICES, name);
}

/**
 * The project whose repository is meant, if the token may use that service of it.
 *
 * @throws {ApiError} `unauthorized`, `tooManyAttempts`, `projectNotFound`, `forbidden`.
 */
function findRepository(c: Context<ApiEnv>, { store, authenticator }: ApiDeps, service: Service): Project {
  const principal = authenticator.authenticate(passwordOf(c), c.env.address);
  c.set("principal", principal);
  const name = c.req.param("repository")!.replace(/\.git$/, "");
  const project = store.projects.getByName(name);
  if (project === null || !admits(c, project)) {
    throw new ApiError("projectNotFound", `Project "${name}" does not exist: create it first`);
  }
  const role = SERVICES[service];
  if (permits(principal, role, project)) return project;
  throw new ApiError(
    "forbidden",
    `Cannot push to "${name}": the access token "${principal.name}" has the role "${principal.role}", this needs "${role}"`,
  );
}

function passwordOf(c: Context<ApiEnv>): string {
  const encoded = BASIC.exec(c.req.header("authorization") ?? "")?.[1];
  const pair = encoded === undefined ? undefined : decodeBase64(encoded);
  const password = pair?.slice(pair.indexOf(":") + 1);
  if (password) return password;
  throw new ApiError("unauthorized", "An access token is required as the password");
}

function decodeBase64(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}

/** @throws {ApiError} `notFound`. */
async function assertPushed({ repositories }: ApiDeps, { id, name }: Project): Promise<void> {
  if (await repositories.has(id)) return;
  throw new ApiError("notFound", `Nothing was pushed to project "${name}" yet`);
}

/** Git compresses what it asks for, if that is long. */
function bodyOf(c: Context<ApiEnv>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const body = c.req.raw.body ?? new Blob().stream();
  const isCompressed = /^(?:x-)?gzip$/i.test(c.req.header("content-encoding") ?? "");
  return isCompressed ? body.pipeThrough(new DecompressionStream("gzip")) : body;
}

async function* joined(
  start: Iterable<Uint8Array>,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* start;
  yield* rest;
}

function respond(
  service: Service,
  kind: "advertisement" | "result",
  body: ReadableStream<Uint8Array> | null,
): Response {
  return new Response(body as BodyInit | null, {
    headers: { "content-type": `application/x-${service}-${kind}`, "cache-control": "no-cache" },
  });
}

/** Git shows a text to its user. */
function plainError(error: unknown, c: Context<ApiEnv>): Response {
  const told = toApiError(error, c);
  const { status } = errorResponse(told, c);
  if (told.code === "unauthorized") c.header("www-authenticate", 'Basic realm="Isola"');
  return c.newResponse(`${told.message}\n`, status as 400, { "content-type": "text/plain; charset=utf-8" });
}
