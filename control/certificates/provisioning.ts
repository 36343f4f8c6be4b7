import type { CertificateMaterial, CertificateRecord, Domain, ProvisioningStatus } from "../model.ts";
import { AcmeError } from "./acme/acme_error.ts";
import type { RenewalInfo } from "./acme/renewal_info.ts";
import { NameBudget } from "./provisioning_budget.ts";
import { ProvisioningError } from "./provisioning_error.ts";
import { Failures } from "./provisioning_failures.ts";
import { dueAt, isSignable, jitterOf } from "./provisioning_plan.ts";
import { OrderSlots } from "./provisioning_slots.ts";
import {
  domainTarget,
  isPlatformOwn,
  keyOf,
  type PlatformNames,
  platformTarget,
  type Target,
  targetsOf,
  wildcardTarget,
} from "./provisioning_targets.ts";
import { RenewalWindows } from "./provisioning_windows.ts";

/** Where certificates are kept: as the store's. */
export interface KeptCertificates {
  all(): readonly CertificateRecord[];
  ofDomain(domainId: string): readonly CertificateRecord[];
  put(certificate: {
    material: CertificateMaterial;
    domainId: string | null;
    source: CertificateRecord["source"];
  }): CertificateRecord;
  remove(id: string): boolean;
}

/** The domains that are registered: as the store's. */
export interface RegisteredDomains {
  get(id: string): Domain | null;
  /** Those that are verified. */
  validated(): readonly Domain[];
  setProvisioning(id: string, status: ProvisioningStatus): boolean;
}

/** Who signs: as {@linkcode AcmeClient}. */
export interface Authority {
  order(
    names: readonly string[],
    options: { signal: AbortSignal; replaces: string | null },
  ): Promise<CertificateMaterial>;
  renewalInfo(chain: string, signal: AbortSignal): Promise<RenewalInfo | null>;
}

/** What {@linkcode Provisioning} works with. */
export interface ProvisioningOptions {
  certificates: KeptCertificates;
  domains: RegisteredDomains;
  authority: Authority;
  platform: PlatformNames;
  /** Unix time in ms. @default {Date.now} */
  now?: () => number;
  /** 0 to 1. @default {Math.random} */
  random?: () => number;
}

const HOUR_MS = 3600_000;
/** All is looked at again after so long, whatever was planned. */
const MAX_SLEEP_MS = HOUR_MS;
/** After a restart it is not known how often an order has failed. */
const UNKNOWN_RETRY_MS = 12 * HOUR_MS;
/** One that is so new is not ordered again, whoever asks: Let's Encrypt signs for the same names five times a week. */
const NEW_MS = 48 * HOUR_MS;
/** Then whoever asks waits as long as we do: authorities count, for each name and hour, what they could not prove. */
const MAX_IMPATIENT_ORDERS = 4;

/**
 * Sees to it that there is a certificate for every verified domain and for the platform's names, and that it is renewed in
 * time. All it knows is in the store: a restart goes on where it was.
 */
export class Provisioning {
  readonly #options: ProvisioningOptions;
  readonly #now: () => number;
  readonly #failures: Failures;
  readonly #windows: RenewalWindows;
  readonly #budget: NameBudget;
  readonly #slots = new OrderSlots();
  /** In progress or in line, by target. */
  readonly #orders = new Map<string, Promise<void>>();
  /** Aborted while nothing is ordered. */
  #stopping = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #checking: Promise<void> | null = null;

  constructor(options: ProvisioningOptions) {
    const { now = Date.now, random = Math.random, authority } = options;
    this.#options = options;
    this.#now = now;
    this.#failures = new Failures({ now, random });
    this.#budget = new NameBudget(now);
    this.#windows = new RenewalWindows({
      renewalInfo: (chain, signal) => authority.renewalInfo(chain, signal),
      now,
      random,
    });
    this.#stopping.abort(stopped());
  }

  /** Orders what is missing or due, from now on; also after it was stopped. */
  start(): void {
    if (this.#stopping.signal.aborted) this.#stopping = new AbortController();
    this.wake();
  }

  /** To be called when a domain was verified: it is ordered for at once. */
  wake(): void {
    clearTimeout(this.#timer);
    if (this.#stopping.signal.aborted) return;
    let nextAt = Infinity;
    try {
      nextAt = this.#lookAround();
    } catch (error) {
      console.error("Cannot look for certificates that are due:", error);
    }
    this.#timer = setTimeout(() => this.wake(), Math.min(Math.max(0, nextAt - this.#now()), MAX_SLEEP_MS));
  }

  /**
   * Orders a certificate for a domain, or waits for the order that is in progress. How it stands is on the domain meanwhile.
   *
   * @throws {ProvisioningError} it is not ordered
   * @throws {AcmeError} it was not signed
   */
  async provision(domainId: string): Promise<void> {
    this.#stopping.signal.throwIfAborted();
    const { domains, certificates } = this.#options;
    const domain = domains.get(domainId);
    if (domain === null) throw new ProvisioningError("notFound", `There is no domain "${domainId}"`);
    if (!domain.isValidated) {
      throw new ProvisioningError("notVerified", "It is not verified that the domain is yours");
    }
    const running = this.#orders.get(domainId);
    if (running !== undefined) return await running;
    const isNew = certificates.ofDomain(domainId).some(({ source, createdAt, expiresAt }) =>
      source === "acme" && Math.min(Date.parse(createdAt) + NEW_MS, Date.parse(expiresAt)) > this.#now()
    );
    if (isNew) return;
    const failure = this.#failures.get(domain.domain);
    const mustWait = failure !== null && (failure.isServersWish || failure.count >= MAX_IMPATIENT_ORDERS);
    if (mustWait && failure.retryAt > this.#now()) {
      throw new ProvisioningError("tooEarly", `${failure.message}. Not before ${isoOf(failure.retryAt)}`);
    }
    this.#showPending(domain);
    await this.#order(domainTarget(domain));
  }

  /**
   * A visitor asks for a name for which there is no certificate. Resolves when there is one, or none will come now: an
   * order is only made for a project's production name, and not for many of them.
   *
   * @param hostname Lower case.
   */
  async want(hostname: string): Promise<void> {
    const { platform } = this.#options;
    if (!platform.isPlatformName(hostname)) return;
    const target = wildcardTarget(platform) ?? platformTarget(hostname);
    const order = this.#orders.get(target.key) ?? (this.#mayWant(hostname) ? this.#order(target) : undefined);
    // What failed is in the log.
    await order?.catch(() => {});
  }

  /** Ends what is in progress; it goes on after the next {@linkcode Provisioning.start}. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopping.abort(stopped());
    await Promise.allSettled([...this.#orders.values(), this.#checking]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Starts all that there is to do. Returns when there is more; Unix time in ms. */
  #lookAround(): number {
    const { certificates, domains, platform } = this.#options;
    const kept = new Map(certificates.all().map((record) => [keyOf(record), record]));
    const targets = targetsOf(domains.validated(), [...kept.values()], platform);
    this.#removeExpired(targets, kept);
    return Math.min(this.#startDue(targets, kept), this.#checkWindows(targets, kept));
  }

  /** Returns when the next one is due. */
  #startDue(targets: readonly Target[], kept: Kept): number {
    const now = this.#now();
    let nextAt = Infinity;
    for (const target of targets) {
      // Whoever ends wakes us: what finds no place now is not forgotten.
      if (this.#orders.has(target.key)) continue;
      const at = this.#dueAt(target, kept.get(target.key));
      if (at > now) nextAt = Math.min(nextAt, at);
      else if (this.#slots.free > 0) this.#order(target).catch(() => {});
    }
    return nextAt;
  }

  #dueAt({ key, name, domain }: Target, record: CertificateRecord | undefined): number {
    const status = domain?.provisioningStatus.code;
    if (record && status === "pending" && Date.parse(record.expiresAt) > this.#now()) {
      // The server ended between the two.
      this.#options.domains.setProvisioning(key, { code: "success" });
    }
    const failedAt = domain !== null && status === "failed" ? Date.parse(domain.updatedAt) : null;
    return dueAt({
      validity: record === undefined ? null : {
        notBefore: Date.parse(record.notBefore),
        expiresAt: Date.parse(record.expiresAt),
        orderedAt: Date.parse(record.createdAt),
      },
      suggestedAt: record === undefined ? null : this.#windows.suggestedAt(record.id),
      retryAt: this.#failures.get(name)?.retryAt ?? (failedAt && failedAt + UNKNOWN_RETRY_MS),
      jitter: jitterOf(record?.id ?? key),
    });
  }

  /** Returns when there is something to ask next. */
  #checkWindows(targets: readonly Target[], kept: Kept): number {
    if (this.#checking !== null) return Infinity;
    const renewed = targets.map(({ key }) => kept.get(key)).filter((record) => record !== undefined);
    const nextAt = this.#windows.nextCheckAt(renewed);
    if (nextAt > this.#now()) return nextAt;
    const { signal } = this.#stopping;
    this.#checking = this.#windows.check(renewed, signal)
      .catch(() => {}) // Only stop() ends it early.
      .then(() => {
        this.#checking = null;
        this.wake();
      });
    return Infinity;
  }

  /** Nobody renews those of names that are gone. */
  #removeExpired(targets: readonly Target[], kept: Kept): void {
    const wanted = new Set(targets.map(({ key }) => key));
    for (const record of kept.values()) {
      const isGone = isPlatformOwn(record) && !wanted.has(keyOf(record));
      if (isGone && Date.parse(record.expiresAt) < this.#now()) this.#options.certificates.remove(record.id);
    }
  }

  #mayWant(hostname: string): boolean {
    const { certificates, platform } = this.#options;
    if (this.#stopping.signal.aborted || platform.wildcard || !isSignable(platform.baseDomain)) return false;
    if ((this.#failures.get(hostname)?.retryAt ?? 0) > this.#now()) return false;
    const own = certificates.all().filter(isPlatformOwn);
    if (own.some(({ names }) => names.includes(hostname))) return false;
    const started = [...this.#orders.keys()].filter((key) => platform.isPlatformName(key)).length;
    return this.#budget.allows(own, started);
  }

  /** One order of a target at a time. */
  #order(target: Target): Promise<void> {
    const order = this.#slots.run(() => this.#carryOut(target)).finally(() => {
      this.#orders.delete(target.key);
      this.wake();
    });
    this.#orders.set(target.key, order);
    return order;
  }

  async #carryOut(target: Target): Promise<void> {
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const { authority, certificates, domains } = this.#options;
    const { name, domain } = target;
    const before = this.#certificateOf(target);
    const wasManual = before?.source === "manual";
    // That it replaces another may be what the server refuses: the next attempt goes without.
    const replaces = before !== undefined && !wasManual && this.#failures.get(name) === null
      ? before.chain
      : null;
    try {
      const material = await authority.order([name], { signal, replaces });
      if (this.#isStillWanted(target, wasManual)) {
        certificates.put({ material, domainId: domain && domain.id, source: "acme" });
        if (domain !== null) domains.setProvisioning(domain.id, { code: "success" });
      }
      this.#failures.forget(name);
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(target, before, error);
      throw error;
    }
  }

  /** Unless the domain was removed meanwhile, or somebody has given it one of their own. */
  #isStillWanted(target: Target, wasManual: boolean): boolean {
    if (target.domain === null) return true;
    const { domains } = this.#options;
    return domains.get(target.domain.id) !== null &&
      (wasManual || this.#certificateOf(target)?.source !== "manual");
  }

  #failed({ name, domain }: Target, before: CertificateRecord | undefined, error: unknown): void {
    const isExpected = error instanceof AcmeError;
    const message = error instanceof Error ? error.message : String(error);
    const failure = this.#failures.add(name, message, isExpected ? error.retryAfterMs : null);
    const retry = `tried again at ${isoOf(failure.retryAt)}`;
    console.error(`Cannot get a certificate for "${name}", ${retry}:`, isExpected ? message : error);
    if (domain === null) this.#budget.failed();
    else if (before === undefined || Date.parse(before.expiresAt) <= this.#now()) {
      this.#options.domains.setProvisioning(domain.id, { code: "failed", message });
    }
  }

  /** While visitors are served with a certificate, that is how the domain stands. */
  #showPending({ id }: Domain): void {
    const { certificates, domains } = this.#options;
    const isServed = certificates.ofDomain(id).some(({ expiresAt }) => Date.parse(expiresAt) > this.#now());
    if (!isServed) domains.setProvisioning(id, { code: "pending" });
  }

  #certificateOf({ key, domain }: Target): CertificateRecord | undefined {
    const { certificates } = this.#options;
    return domain === null
      ? certificates.all().find((record) => keyOf(record) === key)
      : certificates.ofDomain(domain.id)[0];
  }
}

type Kept = ReadonlyMap<string, CertificateRecord>;

function stopped(): ProvisioningError {
  return new ProvisioningError("stopped", "This server orders no certificates now");
}

function isoOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
