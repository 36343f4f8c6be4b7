import type { Context, Histogram, Span, Tracer } from "@opentelemetry/api";
import type { Acquired, TraceContext } from "../../runner/mod.ts";
import type { StartObserver, StartStep } from "../supervisor/start_observer.ts";

type Api = typeof import("@opentelemetry/api");

/** Seconds; a warm start takes some 0.02, a slow one the 10 that a boot may take. */
const DURATION_BOUNDARIES = [0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A start under way. */
interface Start {
  span: Span;
  /** For the steps' spans. */
  inSpan: Context;
  step: Span;
  /** It is more than to find an isolate that is there. */
  isCold: boolean;
  startedAt: number;
}

/** The starts that requests wait for, each a span below the request's whose children are its steps; and how long they take. */
export class StartTraces implements StartObserver {
  readonly #api: Api;
  readonly #tracer: Tracer;
  readonly #duration: Histogram;
  /** By deployment: at most one start at a time is under way for each. */
  readonly #starts = new Map<string, Start>();

  constructor(api: Api, scope: string) {
    this.#api = api;
    this.#tracer = api.trace.getTracer(scope);
    this.#duration = api.metrics.getMeter(scope).createHistogram("isola.isolate.start.duration", {
      description: "Duration of starts of isolates that requests waited for.",
      unit: "s",
      advice: { explicitBucketBoundaries: DURATION_BOUNDARIES },
    });
  }

  begin(deploymentId: string, parent: TraceContext): (result: Acquired) => void {
    // Another runner's request waits for the same start.
    if (this.#starts.has(deploymentId)) return () => {};
    const { trace, ROOT_CONTEXT, isSpanContextValid } = this.#api;
    const below = isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const span = this.#tracer.startSpan("isolate.start", {
      attributes: { "isola.deployment.id": deploymentId },
    }, below);
    const inSpan = trace.setSpan(below, span);
    const step = this.#tracer.startSpan("sandbox.take" satisfies StartStep, {}, inSpan);
    const start: Start = { span, inSpan, step, isCold: false, startedAt: performance.now() };
    this.#starts.set(deploymentId, start);
    return (result) => this.#end(deploymentId, start, result);
  }

  step(deploymentId: string, step: StartStep): void {
    const start = this.#starts.get(deploymentId);
    if (start === undefined) return;
    start.step.end();
    start.step = this.#tracer.startSpan(step, {}, start.inSpan);
    start.isCold = true;
  }

  #end(deploymentId: string, { span, step, isCold, startedAt }: Start, result: Acquired): void {
    this.#starts.delete(deploymentId);
    const failure = "code" in result ? { "error.type": result.code } : undefined;
    if (isCold) this.#duration.record((performance.now() - startedAt) / 1000, failure);
    if (failure !== undefined) {
      for (const failed of [step, span]) {
        failed.setAttributes(failure).setStatus({ code: this.#api.SpanStatusCode.ERROR });
      }
    } else if ("isolateId" in result) span.setAttribute("isola.isolate.id", result.isolateId);
    step.end();
    span.end();
  }
}
