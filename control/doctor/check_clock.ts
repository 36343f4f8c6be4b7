import type { Config } from "../config/config.ts";
import { commandOutput } from "./command_output.ts";
import type { Finding } from "./finding.ts";

const TIMEOUT_MS = 5000;
/** Certificates, signatures and tokens are judged by it. */
const MAX_SKEW_MS = 30_000;

/**
 * Whether the clock is right: by what systemd knows of its synchronization (timedatectl(1)), and beside that of the
 * certificate authority, if one is used.
 */
export async function checkClock({ tls }: Config): Promise<Finding> {
  const check = "clock";
  const advice = "Have it set by NTP: systemd-timesyncd or chrony";
  if (tls.acme !== null) {
    const skewMs = await skewBeside(tls.acme.directory);
    if (skewMs !== null && Math.abs(skewMs) > MAX_SKEW_MS) {
      const message = `it is ${Math.round(skewMs / 1000)} s off, beside that of "${
        new URL(tls.acme.directory).host
      }"`;
      return { check, status: "problem", message, advice };
    }
  }
  const now = new Date().toISOString();
  const isSynchronized = await askSystemd();
  if (isSynchronized === false) {
    return { check, status: "warning", message: `${now}, not synchronized`, advice };
  }
  return { check, status: "ok", message: `${now}${isSynchronized ? ", synchronized" : ""}` };
}

/** How much this clock is ahead; `null` = nobody tells. */
async function skewBeside(url: string): Promise<number | null> {
  try {
    const response = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const date = Date.parse(response.headers.get("date") ?? "");
    return Number.isNaN(date) ? null : Date.now() - date;
  } catch {
    return null;
  }
}

/** `null` = there is no systemd to ask. */
async function askSystemd(): Promise<boolean | null> {
  const answer = await commandOutput("timedatectl", ["show", "-P", "NTPSynchronized"]);
  return answer ? answer === "yes" : null;
}
