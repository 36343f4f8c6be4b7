import { Backoff } from "./backoff.ts";

/** Deployments that are remembered only for what has gone wrong with them; beyond, the first of them are forgotten. */
export const MAX_FAILED_SERVICES = 1_000;

/** A deployment that somebody waits for, that has an isolate, or that went wrong lately. */
export interface Service {
  readonly deploymentId: string;
  /** No blank sandbox can take its program. */
  tree: boolean;
  isolateId?: string;
  readonly backoff: Backoff;
}

/** What is known of deployments, of however many there are. */
export class Services {
  readonly #services = new Map<string, Service>();

  get(deploymentId: string): Service | undefined {
    return this.#services.get(deploymentId);
  }

  /** Made if it is not there. */
  of(deploymentId: string): Service {
    let service = this.#services.get(deploymentId);
    if (service === undefined) {
      service = { deploymentId, tree: false, backoff: new Backoff() };
      this.#services.set(deploymentId, service);
    }
    return service;
  }

  delete(deploymentId: string): void {
    this.#services.delete(deploymentId);
  }

  /** Those without an isolate. */
  *unserved(): Generator<Service> {
    for (const service of this.#services.values()) if (service.isolateId === undefined) yield service;
  }

  /** Forgets those that nobody waits for once what went wrong with them makes no difference, or they are too many. */
  forget(now: number, isAwaited: (deploymentId: string) => boolean): void {
    let failed = 0;
    for (const { deploymentId, backoff } of this.unserved()) {
      if (isAwaited(deploymentId)) continue;
      if (now >= backoff.forgottenAt) this.#services.delete(deploymentId);
      else failed++;
    }
    if (failed <= MAX_FAILED_SERVICES) return;
    for (const { deploymentId } of this.unserved()) {
      if (isAwaited(deploymentId)) continue;
      this.#services.delete(deploymentId);
      if (--failed <= MAX_FAILED_SERVICES) return;
    }
  }
}
