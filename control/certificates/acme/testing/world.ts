import type { CertificateRecord, Domain } from "../../../model.ts";
import { openStore, type Store } from "../../../store/mod.ts";
import { Provisioning, type ProvisioningOptions } from "../../provisioning.ts";
import { AcmeError } from "../acme_error.ts";
import { FakeAuthority } from "./fake_authority.ts";

/** In ms. */
export const HOUR = 3600_000;
/** The platform's domain. */
export const BASE = "apps.example.com";

const MAX_WAIT_MS = 30_000;

/** A store, an authority and a clock; provisionings may be started and stopped in between. */
export class World implements AsyncDisposable {
  now = Date.now();
  readonly authority = new FakeAuthority(() => this.now);
  readonly names = new Set<string>();
  readonly #started: Provisioning[] = [];

  private constructor(readonly store: Store, readonly dir: string) {}

  static async make(): Promise<World> {
    const dir = await Deno.makeTempDir({ prefix: "isola-provisioning-" });
    return new World(await openStore(dir), dir);
  }

  start(platform: Partial<ProvisioningOptions["platform"]> = {}): Provisioning {
    const provisioning = new Provisioning({
      certificates: this.store.certificates,
      domains: this.store.domains,
      authority: this.authority,
      platform: {
        baseDomain: BASE,
        wildcard: false,
        isPlatformName: (hostname) => this.names.has(hostname),
        ...platform,
      },
      now: () => this.now,
      random: () => 0.5,
    });
    this.#started.push(provisioning);
    provisioning.start();
    return provisioning;
  }

  domain(domain: string): Domain {
    const { id } = this.store.domains.create({ organizationId: this.store.organizations.first().id, domain });
    this.store.domains.markValidated(id);
    return this.store.domains.get(id)!;
  }

  status({ id }: Domain): string {
    const { provisioningStatus } = this.store.domains.get(id)!;
    return "message" in provisioningStatus
      ? `${provisioningStatus.code}: ${provisioningStatus.message}`
      : provisioningStatus.code;
  }

  certificateOf({ id }: Domain): CertificateRecord | undefined {
    return this.store.certificates.ofDomain(id)[0];
  }

  /** Puts a certificate that was made some time ago. */
  putOld({ id, domain }: Domain, ageMs: number): void {
    this.store.certificates.put({
      material: this.authority.sign(domain, ageMs),
      domainId: id,
      source: "acme",
    });
    this.store.domains.setProvisioning(id, { code: "success" });
    // Its record is as new as the process' clock says.
    this.now += 25 * HOUR;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const provisioning of this.#started) await provisioning.stop();
    this.store[Symbol.dispose]();
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** Waits until something is so. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + MAX_WAIT_MS;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`It did not come about within ${MAX_WAIT_MS}ms: ${condition}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Lets all go on that waits for nothing. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

/** Lines that go to the log meanwhile. */
export function captureLog(): Disposable & { lines: string[] } {
  const original = console.error;
  const lines: string[] = [];
  console.error = (...args) => lines.push(args.join(" "));
  return { lines, [Symbol.dispose]: () => void (console.error = original) };
}

/** Why an authority does not sign. */
export function refusal(message: string, retryAfterMs: number | null = null): AcmeError {
  return new AcmeError(message, { type: "rateLimited", detail: message, retryAfterMs });
}
