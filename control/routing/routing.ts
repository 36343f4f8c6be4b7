import type { RouteChanges, RouteTable } from "../../runner/mod.ts";
import { RouteClaims } from "./route_claims.ts";
import { projectRoutes, type RouteOptions } from "./routes.ts";
import type { Store } from "../store/mod.ts";

/** Finds out, after every change of the store, what of the route table changes, and tells the runners. */
export class Routing {
  readonly #store: Store;
  readonly #options: RouteOptions;
  readonly #claims: RouteClaims;
  readonly #appliers: ((changes: RouteChanges) => Promise<void>)[] = [];
  #applied: Promise<unknown> = Promise.resolve();

  constructor(store: Store, options: RouteOptions) {
    this.#store = store;
    this.#options = options;
    this.#claims = new RouteClaims(projectRoutes(store.routes(), options));
    store.onRoutesChanged((projectId) => this.#update(projectId));
  }

  /** The table as of now. */
  get current(): RouteTable {
    return this.#claims.table;
  }

  /** How many hostnames lead somewhere. */
  get size(): number {
    return this.#claims.size;
  }

  /** `apply` gets every change from the next on, in order, and resolves once it is in force. */
  onChange(apply: (changes: RouteChanges) => Promise<void>): void {
    this.#appliers.push(apply);
  }

  /** Resolves once all changes are in force in every runner, so that whoever is told of one can rely on it. */
  async applied(): Promise<void> {
    await this.#applied;
  }

  #update(projectId: string) {
    const routes = projectRoutes(this.#store.routes(projectId), this.#options).get(projectId);
    const changes = this.#claims.replace(projectId, routes);
    if (changes.size === 0) return;
    this.#applied = Promise.allSettled(this.#appliers.map((apply) => apply(changes)));
  }
}
