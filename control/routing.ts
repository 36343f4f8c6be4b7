import type { RouteTable } from "../runner/mod.ts";
import { type RouteOptions, routeTable } from "./routes.ts";
import type { Store } from "./store/mod.ts";

/** Makes a new route table after every change of the store, and hands it to the runners. */
export class Routing {
  readonly #store: Store;
  readonly #options: RouteOptions;
  readonly #appliers: ((routes: RouteTable) => Promise<void>)[] = [];
  #current: RouteTable;
  #applied: Promise<unknown> = Promise.resolve();

  constructor(store: Store, options: RouteOptions) {
    this.#store = store;
    this.#options = options;
    this.#current = routeTable(store.routes(), options);
    store.onRoutesChanged(() => this.#update());
  }

  get current(): RouteTable {
    return this.#current;
  }

  /** `apply` gets every table from the next on, and resolves once it is in force. */
  onChange(apply: (routes: RouteTable) => Promise<void>): void {
    this.#appliers.push(apply);
  }

  /** Resolves once the newest table is in force in every runner, so that whoever is told of a change can rely on it. */
  async applied(): Promise<void> {
    await this.#applied;
  }

  #update() {
    const table = this.#current = routeTable(this.#store.routes(), this.#options);
    this.#applied = Promise.allSettled(this.#appliers.map((apply) => apply(table)));
  }
}
