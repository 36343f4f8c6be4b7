/** Where log records are sent. */
export interface OtlpTarget {
  /** Of the collector's logs. */
  url: string;
  headers: Readonly<Record<string, string>>;
}

/** What the configuration says of a collector. */
export interface OtlpConfig {
  /** Base URL: `https://collector.example:4318`. */
  endpoint: string;
  headers: Readonly<Record<string, string>>;
}

/**
 * Where log records are sent: what the configuration says, else OpenTelemetry's own variables ("OpenTelemetry Protocol
 * Exporter"); `null` = nowhere.
 *
 * @throws {TypeError} a variable cannot be used
 */
export function otlpTarget(
  config: OtlpConfig | null,
  env: Readonly<Record<string, string>>,
): OtlpTarget | null {
  if (config !== null) return { url: logsOf(config.endpoint), headers: config.headers };
  if (env.OTEL_SDK_DISABLED === "true" || env.OTEL_LOGS_EXPORTER === "none") return null;
  const { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: own, OTEL_EXPORTER_OTLP_ENDPOINT: common } = env;
  const url = own || (common ? logsOf(common) : undefined);
  if (url === undefined) return null;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new TypeError(
      `Cannot use OTEL_EXPORTER_OTLP_${own ? "LOGS_" : ""}ENDPOINT: must be an http or https URL`,
    );
  }
  const headers = env.OTEL_EXPORTER_OTLP_LOGS_HEADERS || env.OTEL_EXPORTER_OTLP_HEADERS || "";
  return { url, headers: parseHeaders(headers) };
}

function logsOf(endpoint: string): string {
  return `${endpoint.replace(/\/$/, "")}/v1/logs`;
}

/** `name=value,name=value`, as in a W3C Baggage header: values are percent-encoded. */
function parseHeaders(text: string): Record<string, string> {
  const headers = new Headers();
  try {
    for (const pair of text.split(",").filter((pair) => pair.trim() !== "")) {
      const [name, value] = pair.split(/=(.*)/);
      headers.set(name!.trim(), decodeURIComponent(value!.trim()));
    }
  } catch {
    // The value is a secret.
    throw new TypeError('Cannot use OTEL_EXPORTER_OTLP_HEADERS: must be "name=value,name=value"');
  }
  return Object.fromEntries(headers);
}
