import type { AppLogLine } from "../../../isolate/mod.ts";
import type { Subhosted } from "../../../runner/mod.ts";
import type {
  IsolateEnd,
  IsolateObserver,
  IsolateRef,
  LineSource,
} from "../../supervisor/isolate_observer.ts";
import { addUsage, NO_USAGE } from "../../usage/usage_delta.ts";
import type { UsageDelta } from "../../usage/mod.ts";
import type { EventPayload, Origin, SubhostedName, SubhostingEvent } from "../model.ts";
import { subhostedName } from "../subhoster_of.ts";
import { endPayload, isOrderly, MAX_MESSAGE_CHARACTERS, usagePayload } from "./event_payloads.ts";

/** How often what an isolate used is told. */
const USAGE_INTERVAL_MS = 10_000;
/** A program that ends with an error that nobody caught is gone so long after it said it. */
const END_EXPECTED_MS = 2_000;
/** How the sandbox's line begins that says such an error. */
const UNCAUGHT = "Uncaught ";

/** What the feed works with. */
export interface EventFeedOptions {
  /** Where the events of the deployment go; `undefined` = nowhere. */
  originOf(key: string): Origin | undefined;
  /** Where its deployments run. */
  regionOf(subhosterId: string): string;
  /** When the request came that made the deployment start, on the clock of `now`; `undefined` = with its isolate. */
  requestedAt?(key: string): number | undefined;
  append(origin: Origin, event: SubhostingEvent): void;
  /** In ms, never set back. @default {performance.now} */
  now?(): number;
}

/** What there is to say events about. */
interface Execution {
  readonly origin: Origin;
  readonly deploymentId: string;
  readonly id: string;
  readonly region: string;
}

interface Followed extends Execution {
  usage: UsageDelta;
  usageToldAtMs: number;
  serves: boolean;
  /** A line that may be the error which it ends with: told as that, or as a line, but not as both. */
  held?: { line: AppLogLine; atMs: number };
}

/**
 * Makes events of what becomes of subhosted isolates: those whose deployment's key is `{subhosterId}/{deploymentId}`. Of
 * others it takes no notice.
 *
 * **Invariant:** an isolate is remembered from `assigned` to `ended`, and no longer.
 */
export class EventFeed implements IsolateObserver {
  readonly #options: EventFeedOptions;
  readonly #now: () => number;
  readonly #followed = new Map<string, Followed>();

  constructor(options: EventFeedOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A deployment could not be started, before it had an isolate; `reason` is for its subhoster. */
  failedBefore({ subhosterId, deploymentId, rpcRoot }: Subhosted, reason: string): void {
    const origin = { subhosterId, rpcRoot };
    const region = this.#options.regionOf(subhosterId);
    const execution = { origin, deploymentId, id: crypto.randomUUID(), region };
    this.#tell(execution, { event_type: "bootFailure", event: { msg: bounded(reason) } });
  }

  /** Something went wrong for a program that has an isolate; `reason` is for its subhoster. */
  failedSince({ subhosterId, deploymentId }: SubhostedName, reason: string): void {
    for (const followed of this.#followed.values()) {
      if (followed.deploymentId !== deploymentId || followed.origin.subhosterId !== subhosterId) continue;
      this.#tell(followed, { event_type: "log", event: { msg: bounded(reason), level: "error" } });
    }
  }

  assigned({ isolateId, deploymentId: key }: IsolateRef): void {
    const name = subhostedName(key);
    const origin = name === null ? undefined : this.#options.originOf(key);
    if (name === null || origin === undefined) return;
    this.#followed.set(isolateId, {
      origin,
      deploymentId: name.deploymentId,
      id: isolateId,
      region: this.#options.regionOf(name.subhosterId),
      usage: { ...NO_USAGE },
      usageToldAtMs: this.#now(),
      serves: false,
    });
  }

  serving({ isolateId, deploymentId: key }: IsolateRef, bootMs: number): void {
    const followed = this.#followed.get(isolateId);
    if (followed === undefined) return;
    this.#release(followed);
    followed.serves = true;
    const requestedAtMs = this.#options.requestedAt?.(key);
    const ms = requestedAtMs === undefined ? bootMs : Math.max(bootMs, this.#now() - requestedAtMs);
    this.#tell(followed, { event_type: "boot", event: { boot_time: Math.round(ms) / 1000 } });
  }

  failed({ isolateId }: IsolateRef, { reason, message = reason }: IsolateEnd): void {
    const followed = this.#followed.get(isolateId);
    if (followed === undefined || isOrderly(reason)) return;
    // What the program ended with is why.
    if (reason === "exited") followed.held = undefined;
    else this.#release(followed);
    this.#tell(followed, { event_type: "bootFailure", event: { msg: bounded(message) } });
  }

  printed({ isolateId }: IsolateRef, line: AppLogLine, source: LineSource): void {
    const followed = this.#followed.get(isolateId);
    // What the server says is told as an event of its own kind.
    if (followed === undefined || source === "server") return;
    this.#release(followed);
    if (line.level === "error" && line.message.startsWith(UNCAUGHT)) {
      followed.held = { line, atMs: this.#now() };
    } else this.#tellLine(followed, line);
  }

  used({ isolateId }: IsolateRef, delta: UsageDelta): void {
    const followed = this.#followed.get(isolateId);
    if (followed === undefined) return;
    const now = this.#now();
    if (followed.held !== undefined && now - followed.held.atMs > END_EXPECTED_MS) this.#release(followed);
    addUsage(followed.usage, delta);
    if (now - followed.usageToldAtMs < USAGE_INTERVAL_MS) return;
    followed.usageToldAtMs = now;
    this.#tellUsage(followed);
  }

  ended({ isolateId }: IsolateRef, { reason, message }: IsolateEnd): void {
    const followed = this.#followed.get(isolateId);
    if (followed === undefined) return;
    this.#followed.delete(isolateId);
    const uncaught = reason === "exited" ? followed.held?.line.message ?? uncaughtIn(message) : undefined;
    if (uncaught === undefined) this.#release(followed);
    const msg = bounded(uncaught ?? message ?? reason);
    const payload = endPayload(reason, { msg, isUncaught: uncaught !== undefined, served: followed.serves });
    if (payload !== undefined) this.#tell(followed, payload);
    this.#tellUsage(followed);
  }

  #release(followed: Followed) {
    const { held } = followed;
    followed.held = undefined;
    if (held !== undefined) this.#tellLine(followed, held.line);
  }

  #tellLine(execution: Execution, { time, level, message }: AppLogLine) {
    this.#tell(execution, { event_type: "log", event: { msg: message, level } }, time);
  }

  #tellUsage(followed: Followed) {
    const { usage } = followed;
    followed.usage = { ...NO_USAGE };
    if (usage.uptimeMs > 0 || usage.requests > 0) this.#tell(followed, usagePayload(usage));
  }

  #tell(
    { origin, deploymentId, id, region }: Execution,
    payload: EventPayload,
    timestamp = new Date().toISOString(),
  ) {
    this.#options.append(origin, {
      ...payload,
      deployment_id: deploymentId,
      timestamp,
      execution_id: id,
      region,
      context: { event_id: crypto.randomUUID() },
    });
  }
}

/** The text of an isolate's end, if it is the error that nobody caught: its line may have been one too many. */
function uncaughtIn(message: string | undefined): string | undefined {
  return message?.startsWith(UNCAUGHT) ? message : undefined;
}

function bounded(message: string): string {
  return message.slice(0, MAX_MESSAGE_CHARACTERS);
}
