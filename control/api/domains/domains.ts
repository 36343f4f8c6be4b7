import { type Context, Hono } from "hono";
import { z } from "zod";
import { CertificateError } from "../../certificates/certificate_error.ts";
import { checkCertificate } from "../../certificates/check_certificate.ts";
import { doneWithin } from "../../scheduling/done_within.ts";
import { verifyDomain } from "../../domains/verify_domain.ts";
import type { CertificateMaterial, Domain } from "../../model.ts";
import { admits } from "../access/access.ts";
import { findDeployment, notReady } from "../deployments/deployments.ts";
import type { ApiDeps, ApiEnv } from "../deps.ts";
import { domainJson } from "./domain_json.ts";
import { ApiError } from "../errors.ts";
import { readJson, readQuery } from "../input.ts";
import { registeredName } from "../names.ts";
import { findOrganization } from "../access/organizations.ts";
import { listQuery, pageLinks } from "../paging.ts";
import { findProject } from "../projects/projects.ts";

/** How long a call waits for an order. One that takes longer goes on, and the domain tells of it. */
const MAX_PROVISION_WAIT_MS = 60_000;
const MAX_PEM_LENGTH = 200_000;
/** Domains whose owner is asked for at once: each takes several questions to servers that somebody else names. */
const MAX_VERIFICATIONS = 64;

let verifications = 0;

const query = listQuery(["domain", "created_at", "updated_at"], "updated_at");
const registration = z.object({ domain: z.string().min(1).max(500) });
const upload = z.object({
  certificateChain: z.string().min(1).max(MAX_PEM_LENGTH),
  privateKey: z.string().min(1).max(MAX_PEM_LENGTH),
});
const association = z.object({ deploymentId: z.string().nullish(), projectId: z.string().optional() }).refine(
  ({ deploymentId, projectId }) => deploymentId === undefined || projectId === undefined,
  `either "deploymentId" (null or none detaches) or "projectId" (its production, now and later) may be given`,
);

/** `/v1/organizations/{id}/domains` and `/v1/domains/{id}`. */
export function domainRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .get("/organizations/:organizationId/domains", (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const options = readQuery(c.req.query(), query);
      const listed = store.domains.list(id, options);
      c.header("link", pageLinks(c.req.url, options, listed));
      return c.json(listed.items.map((domain) => domainJson(deps, domain)));
    })
    .post("/organizations/:organizationId/domains", async (c) => {
      const { id } = findOrganization(c, store, c.req.param("organizationId"));
      const { domain } = await readJson(c.req.raw, registration);
      const name = checkedName(domain, deps.baseDomain);
      return c.json(domainJson(deps, store.domains.create({ organizationId: id, domain: name })));
    })
    .get("/domains/:domainId", (c) => c.json(domainJson(deps, findDomain(c, store, c.req.param("domainId")))))
    .patch("/domains/:domainId", async (c) => {
      await associate(c, deps, findDomain(c, store, c.req.param("domainId")));
      return c.body(null, 200);
    })
    .delete("/domains/:domainId", async (c) => {
      const domain = findDomain(c, store, c.req.param("domainId"));
      detach(deps, domain);
      store.domains.delete(domain.id);
      await deps.routed();
      return c.body(null, 200);
    })
    .route("/domains/:domainId", certificateRoutes(deps));
}

function certificateRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const { store } = deps;
  return new Hono<ApiEnv>()
    .post("/verify", async (c) => {
      await requireVerified(deps, findDomain(c, store, c.req.param("domainId")!));
      deps.certificates?.wake();
      return c.body(null, 200);
    })
    .post("/certificates", async (c) => {
      const domain = findDomain(c, store, c.req.param("domainId")!);
      const { certificateChain, privateKey } = await readJson(c.req.raw, upload);
      const material = await checked({ chain: certificateChain, privateKey, domain: domain.domain });
      await requireVerified(deps, domain);
      store.certificates.put({ material, domainId: domain.id, source: "manual" });
      store.domains.setProvisioning(domain.id, { code: "manual" });
      await deps.routed();
      return c.body(null, 200);
    })
    .post("/certificates/provision", async (c) => {
      const domain = findDomain(c, store, c.req.param("domainId")!);
      if (deps.certificates === undefined) {
        throw new ApiError(
          "acmeOff",
          `Cannot order a certificate for "${domain.domain}": this server orders none. Set tls.acme in isola.yaml ` +
            "and start it again, or upload a certificate of your own",
        );
      }
      await requireVerified(deps, domain);
      await provision(deps.certificates, domain);
      await deps.routed();
      return c.body(null, 200);
    });
}

/**
 * The domain, if the token may see it.
 *
 * @throws {ApiError} `domainNotFound`.
 */
function findDomain(c: Context<ApiEnv>, store: ApiDeps["store"], domainId: string): Domain {
  const domain = store.domains.get(domainId);
  if (domain === null || !admits(c, { organizationId: domain.organizationId, id: null })) {
    throw new ApiError("domainNotFound", `Domain "${domainId}" does not exist`);
  }
  return domain;
}

function checkedName(text: string, baseDomain: string): string {
  const refuse = (problem: string) => new ApiError("badRequest", `Invalid request: "domain": ${problem}`);
  const name = registeredName(text);
  if (name === null) {
    throw refuse(`"${text}" must be a hostname, such as "shop.example.com" or "*.example.com"`);
  }
  if (`.${name}`.endsWith(`.${baseDomain}`)) {
    throw refuse(`"${name}" must not be "${baseDomain}" or under it, the platform's own domain`);
  }
  return name;
}

async function associate(c: Context<ApiEnv>, deps: ApiDeps, domain: Domain): Promise<void> {
  const { store } = deps;
  const { deploymentId = null, projectId } = await readJson(c.req.raw, association);
  if (deploymentId === null && projectId === undefined) {
    detach(deps, domain);
    return await deps.routed();
  }
  const find = () =>
    deploymentId === null
      ? { record: null, project: findProject(c, store, projectId!) }
      : findDeployment(c, store, deploymentId);
  const { record, project } = find();
  if (record !== null && record.status !== "success") {
    throw notReady(`attach "${domain.domain}" to`, record);
  }
  if (project.organizationId !== domain.organizationId) {
    throw new ApiError(
      "badRequest",
      `Cannot attach "${domain.domain}" to project "${project.name}": they are of different organizations`,
    );
  }
  await requireVerified(deps, domain);
  // What was found before the wait may be gone.
  const found = find();
  if (found.record !== null) store.hostnames.attach(found.record.id, domain.domain);
  else store.hostnames.attachToProduction(found.project.id, domain.domain);
  deps.certificates?.wake();
  await deps.routed();
}

/** What another organization attached, whoever has the domain, is not touched. */
function detach({ store }: ApiDeps, { domain, organizationId }: Domain): void {
  if (store.hostnames.target(domain)?.organizationId === organizationId) store.hostnames.release(domain);
}

/**
 * @throws {ApiError} `domainNotVerified`, with what is missing; `domainNotFound`: it was deleted meanwhile; `overloaded`: too
 * many are asked about at once.
 */
async function requireVerified(deps: ApiDeps, domain: Domain): Promise<void> {
  if (domain.isValidated) return;
  if (verifications >= MAX_VERIFICATIONS) {
    throw new ApiError("overloaded", `${MAX_VERIFICATIONS} domains are being verified: try again`);
  }
  verifications++;
  // That it leads here says that somebody of this machine has it, not who.
  const byAddress = !deps.store.organizations.areSeveral();
  const problem = await verifyDomain(domain, { ...deps, byAddress }).finally(() => verifications--);
  if (problem !== null) throw new ApiError("domainNotVerified", problem);
  if (!deps.store.domains.markValidated(domain.id)) {
    throw new ApiError("domainNotFound", `Domain "${domain.domain}" was deleted meanwhile`);
  }
}

async function checked(input: Parameters<typeof checkCertificate>[0]): Promise<CertificateMaterial> {
  try {
    return await checkCertificate(input);
  } catch (error) {
    if (error instanceof CertificateError) throw new ApiError("certificateInvalid", error.message);
    throw error;
  }
}

async function provision(
  certificates: NonNullable<ApiDeps["certificates"]>,
  { id, domain }: Domain,
): Promise<void> {
  try {
    await doneWithin(certificates.provision(id), MAX_PROVISION_WAIT_MS);
  } catch (error) {
    const reason = (error as Error).message;
    throw new ApiError("provisioningFailed", `Cannot get a certificate for "${domain}": ${reason}`);
  }
}
