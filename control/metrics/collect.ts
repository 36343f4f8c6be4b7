import type { SandboxLayers } from "../../isolate/mod.ts";
import type { Authenticator, SubhosterStatus } from "../api/mod.ts";
import type { CertificateService } from "../certificates/certificate_service.ts";
import type { LogStore, OtlpLogs } from "../logs/mod.ts";
import type { Routing } from "../routing/routing.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { UsageLedger } from "../usage/mod.ts";
import type { Durations } from "./durations.ts";
import { metricsText } from "./metrics.ts";
import { processMetrics } from "./process_metrics.ts";
import type { Responses } from "./responses.ts";

/** The parts of a server that metrics are asked of. */
export interface MetricSources {
  version: string;
  region: string;
  sandbox: SandboxLayers;
  supervisor: Supervisor;
  routing: Routing;
  authenticator: Authenticator;
  certificates: CertificateService;
  usage: UsageLedger;
  durations: Durations;
  responses: Responses;
  /** `null` = there are no subhosters. */
  subhosting: { status(): readonly SubhosterStatus[] } | null;
  logs: LogStore;
  /** `null` = logs go nowhere else. */
  exporter: OtlpLogs | null;
}

/** The text of `/metrics`, as of now. */
export async function collectMetrics(sources: MetricSources): Promise<string> {
  const { version, region, sandbox, supervisor, routing, certificates, usage, durations } = sources;
  return metricsText({
    version,
    region,
    sandbox,
    phases: supervisor.phases(),
    ended: supervisor.ends,
    isolates: supervisor.memory(),
    usage: usage.totals(),
    waiting: supervisor.waiting,
    hostnames: routing.size,
    authFailures: sources.authenticator.failures,
    durations,
    responses: sources.responses,
    subhosters: sources.subhosting?.status() ?? [],
    refusedTokens: sources.responses.refusedTokens,
    logs: { ...sources.logs.stats(), exported: sources.exporter?.counts ?? null },
    certificateExpiryMs: certificates.soonestExpiryMs,
    process: await processMetrics(),
  });
}
