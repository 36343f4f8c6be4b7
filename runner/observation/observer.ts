import { AccessLog } from "./access_log.ts";
import type { AccessBatch, Route } from "../contract.ts";
import { Observation, type ObservedRequest } from "./observation.ts";
import type { Telemetry } from "./telemetry.ts";

/** What the observer tells, and by what it traces. */
export interface ObserverOptions {
  send(batch: AccessBatch): void;
  /** `null` = it is off. */
  telemetry: Telemetry | null;
}

/** Decides which requests are observed: those of routes with an access log, and with telemetry all that lead somewhere. */
export class Observer implements Disposable {
  readonly accessLog: AccessLog;
  readonly #telemetry: Telemetry | null;

  constructor({ send, telemetry }: ObserverOptions) {
    this.accessLog = new AccessLog(send);
    this.#telemetry = telemetry;
  }

  /** Whether somebody wants to know of the requests of a route. */
  wants({ accessLog }: Route): boolean {
    return accessLog === true || this.#telemetry !== null;
  }

  /** A request has come. */
  begin({ deploymentId, accessLog }: Route, request: ObservedRequest): Observation {
    return new Observation({
      ...request,
      deploymentId,
      trace: this.#telemetry?.begin(request.head) ?? null,
      record: accessLog === true ? (entry) => this.accessLog.add(entry) : null,
    });
  }

  [Symbol.dispose](): void {
    this.accessLog[Symbol.dispose]();
  }
}
