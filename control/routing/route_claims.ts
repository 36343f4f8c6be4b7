import type { Route, RouteChanges, RouteTable } from "../../runner/mod.ts";
import type { ProjectRoutes } from "./routes.ts";

const NONE: ProjectRoutes = { defaults: new Map(), branches: new Map(), custom: new Map() };

/**
 * Which project has which hostname, so that a change of one project does not take the reading of all. A default URL comes
 * before a branch of the same name (of `shop`, branch `next`, when there is a project `shop--next`), and that before a custom
 * domain.
 */
export class RouteClaims {
  readonly #defaults = new Claims();
  readonly #branches = new Claims();
  readonly #custom = new Claims();
  readonly #table = new Map<string, Route>();

  constructor(projects: ReadonlyMap<string, ProjectRoutes>) {
    for (const [projectId, routes] of projects) this.replace(projectId, routes);
  }

  /** Every hostname that leads somewhere, as of now. */
  get table(): RouteTable {
    return new Map(this.#table);
  }

  /** How many these are. */
  get size(): number {
    return this.#table.size;
  }

  /** Replaces what a project has (`undefined`: it is gone), and returns what that changes. */
  replace(projectId: string, { defaults, branches, custom }: ProjectRoutes = NONE): RouteChanges {
    const changes = new Map<string, Route | null>();
    const touched = [
      ...this.#defaults.replace(projectId, defaults),
      ...this.#branches.replace(projectId, branches),
      ...this.#custom.replace(projectId, custom),
    ];
    for (const hostname of touched) {
      const route = this.#defaults.get(hostname) ?? this.#branches.get(hostname) ??
        this.#custom.get(hostname);
      if (route === undefined) this.#table.delete(hostname);
      else this.#table.set(hostname, route);
      changes.set(hostname, route ?? null);
    }
    return changes;
  }
}

/** Claims of one kind, in which a hostname is of one project at a time. */
class Claims {
  readonly #routes = new Map<string, Route>();
  readonly #byProject = new Map<string, RouteTable>();

  get(hostname: string): Route | undefined {
    return this.#routes.get(hostname);
  }

  /** Returns the hostnames that lead elsewhere now. */
  replace(projectId: string, routes: RouteTable): string[] {
    const touched: string[] = [];
    for (const [hostname, route] of this.#byProject.get(projectId) ?? []) {
      // Another project may have taken it over meanwhile.
      const isOwn = this.#routes.get(hostname)?.deploymentId === route.deploymentId;
      if (!isOwn || routes.has(hostname)) continue;
      this.#routes.delete(hostname);
      touched.push(hostname);
    }
    for (const [hostname, route] of routes) {
      if (!isSame(this.#routes.get(hostname), route)) touched.push(hostname);
      this.#routes.set(hostname, route);
    }
    if (routes.size > 0) this.#byProject.set(projectId, routes);
    else this.#byProject.delete(projectId);
    return touched;
  }
}

function isSame(before: Route | undefined, after: Route): boolean {
  return before?.deploymentId === after.deploymentId && before.maxConcurrency === after.maxConcurrency &&
    before.requestTimeoutMs === after.requestTimeoutMs && before.accessLog === after.accessLog;
}
