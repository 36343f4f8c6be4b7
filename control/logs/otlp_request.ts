import type { LogLevel } from "../model.ts";
import type { OtlpRecord } from "./otlp_logs.ts";

/** Of what a record tells, by the names of OpenTelemetry's semantic conventions. */
export type OtlpResource = Readonly<Record<string, string>>;

/** OpenTelemetry's log data model, "Severity fields". */
const SEVERITY: Readonly<Record<LogLevel, { severityNumber: number; severityText: string }>> = {
  debug: { severityNumber: 5, severityText: "DEBUG" },
  info: { severityNumber: 9, severityText: "INFO" },
  warning: { severityNumber: 13, severityText: "WARN" },
  error: { severityNumber: 17, severityText: "ERROR" },
};

/** `ExportLogsServiceRequest` in JSON: one resource for each deployment and region among the records. */
export function otlpRequest(
  records: readonly OtlpRecord[],
  resource: (deploymentId: string) => OtlpResource,
  nowMs: number,
): string {
  const groups = Map.groupBy(records, ({ deploymentId, region }) => `${deploymentId} ${region}`);
  const resourceLogs = [...groups.values()].map((group) => {
    const { deploymentId, region } = group[0]!;
    const attributes = attributeList({
      ...resource(deploymentId),
      "isola.deployment.id": deploymentId,
      "cloud.region": region,
    });
    const logRecords = group.map((record) => logRecord(record, nowMs));
    return { resource: { attributes }, scopeLogs: [{ scope: { name: "isola" }, logRecords }] };
  });
  return JSON.stringify({ resourceLogs });
}

function logRecord({ time, level, body, traceId, attributes = {} }: OtlpRecord, nowMs: number) {
  return {
    timeUnixNano: nanoseconds(Date.parse(time)),
    observedTimeUnixNano: nanoseconds(nowMs),
    ...SEVERITY[level],
    body: { stringValue: body },
    attributes: attributeList(attributes),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** 64-bit integers are strings in the JSON of protocol buffers. */
function nanoseconds(timeMs: number): string {
  return `${Math.trunc(timeMs)}000000`;
}

function attributeList(attributes: Readonly<Record<string, string | number>>) {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) },
  }));
}
