import type { AccessLog } from "../model.ts";
import type { OtlpRecord } from "./otlp_logs.ts";

/** A request as OpenTelemetry's semantic conventions for HTTP have it. */
export function accessRecord(line: AccessLog): OtlpRecord {
  const { time, deploymentId, region, traceId, method, host, path, status, errorCode, missing } = line;
  return {
    deploymentId,
    region,
    time,
    level: status === null || status >= 500 ? "error" : "info",
    body: missing === null ? `${method} ${host}${path}` : `${missing} requests are missing here`,
    traceId,
    attributes: {
      "http.request.method": method,
      "server.address": host,
      "url.path": path,
      "client.address": line.address,
      "http.request.size": line.requestBytes,
      "http.response.size": line.responseBytes,
      ...(status === null ? {} : { "http.response.status_code": status }),
      ...(errorCode === null ? {} : { "error.type": errorCode }),
      "isola.request.duration_ms": Math.round(line.durationMs),
      "isola.request.outcome": line.outcome,
      "isola.request.start": line.start,
    },
  };
}
