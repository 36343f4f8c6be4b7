/** A span as OTLP/HTTP has it in JSON. */
export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  /** 1 = internal, 2 = server, 3 = client. */
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Record<string, AttributeValue>;
  /** 2 = error. */
  statusCode: number;
}

/** One point of a metric. */
export interface OtlpPoint {
  attributes: Record<string, AttributeValue>;
  /** Of a histogram. */
  count?: number;
  /** Of a gauge. */
  value?: number;
}

type AttributeValue = string | number | boolean;
type Value = { stringValue?: string; doubleValue?: number; intValue?: string; boolValue?: boolean };
type Attributes = { key: string; value: Value }[];

/** A collector of telemetry on a free port: OTLP/HTTP in JSON. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: OtlpSpan[] = [];
  /** The points that came last, by scope and metric: `isola.runner/http.server.request.duration`. */
  readonly metrics = new Map<string, OtlpPoint[]>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      this.#take(await request.json());
      return Response.json({});
    });
  }

  /** For a process whose telemetry is to come here at once. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "200",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  // deno-lint-ignore no-explicit-any -- as it comes, three levels deep
  #take({ resourceSpans = [], resourceMetrics = [] }: any): void {
    for (const { scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) this.spans.push(...spans.map(spanOf));
    }
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { scope, metrics } of scopeMetrics) {
        for (const { name, histogram, gauge, sum } of metrics) {
          this.metrics.set(
            `${scope.name}/${name}`,
            (histogram ?? gauge ?? sum)?.dataPoints.map(pointOf) ?? [],
          );
        }
      }
    }
  }
}

function attributesOf(attributes: Attributes): Record<string, AttributeValue> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]!]));
}

// deno-lint-ignore no-explicit-any -- as it comes
function spanOf({ attributes, status, ...span }: any): OtlpSpan {
  return { ...span, attributes: attributesOf(attributes), statusCode: status.code };
}

// deno-lint-ignore no-explicit-any -- as it comes
function pointOf({ attributes, count, asInt, asDouble }: any): OtlpPoint {
  return { attributes: attributesOf(attributes), count: Number(count), value: Number(asInt ?? asDouble) };
}
