import { setTimeout as delay } from "node:timers/promises";
import type { ApiNewToken } from "../api_shapes.ts";
import type { ApiClient } from "../client.ts";
import { unlessRefused } from "../unless_refused.ts";

/** What a server says when a login begins. */
interface DeviceCode {
  deviceCode: string;
  userCode: string;
  /** On the control address. */
  path: string;
  intervalMs: number;
}

/** What {@linkcode deviceLogin} is told. */
export interface DeviceLoginOptions {
  /** What the person who lets it in is shown. */
  client: string;
  /** Shows where the person has to go, and with which code. */
  show(url: string, userCode: string): void;
  /** Ends the waiting. */
  signal: AbortSignal;
}

/**
 * Gets a token of its own from whoever lets it in with a browser, after RFC 8628.
 *
 * @throws {CliError} Nobody did within ten minutes.
 */
export async function deviceLogin(
  client: ApiClient,
  { client: name, show, signal }: DeviceLoginOptions,
): Promise<ApiNewToken> {
  const { deviceCode, userCode, path, intervalMs } = await client.json<DeviceCode>({
    action: "begin to log in",
    method: "POST",
    path: "/v1/device/code",
    json: { client: name },
  });
  show(new URL(path, client.url).href, userCode);
  for (;;) {
    const token = await redeem(client, deviceCode);
    if (token !== null) return token;
    await delay(intervalMs, undefined, { signal });
  }
}

/** `null` = nobody has let it in yet. The server ends the waiting: then it fails. */
async function redeem(client: ApiClient, deviceCode: string): Promise<ApiNewToken | null> {
  const call = client.json<ApiNewToken>({
    action: "log in",
    method: "POST",
    path: "/v1/device/token",
    json: { deviceCode },
  });
  return await unlessRefused(call, { code: "loginPending", instead: null });
}
