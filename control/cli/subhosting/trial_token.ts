import type { SubhosterConfig } from "../../subhosting/model.ts";
import { signRelayToken } from "../../subhosting/relay_token.ts";
import { CliError } from "../cli_error.ts";
import { parseDurationMs } from "../quantity.ts";

const DEPLOYMENT_ID = /^[!-~]{1,256}$/;
/** Longer ones are refused by the server. */
const MAX_LIFETIME_S = 24 * 60 * 60;
const DEFAULT_LIFETIME_S = 15 * 60;

/** What a token is to be good for, as it was written. */
export interface TrialTokenRequest {
  deploymentId: string | undefined;
  /** Not set = the only one. */
  subhosterId: string | undefined;
  /** Not set = the only one. */
  rpcRoot: string | undefined;
  /** Seconds, or such as "15m". */
  lifetime: string | undefined;
}

/** A token, and what it says. */
export interface TrialToken {
  token: string;
  subhosterId: string;
  deploymentId: string;
  rpcRoot: string;
  /** ISO 8601. */
  expiresAt: string;
}

/**
 * Signs what a subhoster's relay would, for requests to one deployment.
 *
 * @throws {CliError} `usage`: it is not said for what, or the server would refuse it
 */
export async function signTrialToken(
  request: TrialTokenRequest,
  subhosters: readonly SubhosterConfig[],
): Promise<TrialToken> {
  const deploymentId = checkedDeployment(request.deploymentId);
  const { id: subhosterId, secret, rpcRoots } = chosenSubhoster(request.subhosterId, subhosters);
  const rpcRoot = chosenRpcRoot(request.rpcRoot, rpcRoots);
  const iat = Math.floor(Date.now() / 1000);
  const exp = iat + lifetimeS(request.lifetime);
  const token = await signRelayToken({ subhosterId, secret, deploymentId, rpcRoot, iat, exp });
  return { token, subhosterId, deploymentId, rpcRoot, expiresAt: new Date(exp * 1000).toISOString() };
}

function checkedDeployment(id: string | undefined): string {
  if (id === undefined) throw new CliError("usage", "Cannot sign a token: name its --deployment");
  if (DEPLOYMENT_ID.test(id)) return id;
  throw new CliError("usage", `Cannot use --deployment "${id}": must be 1 to 256 visible ASCII characters`);
}

function chosenSubhoster(id: string | undefined, all: readonly SubhosterConfig[]): SubhosterConfig {
  const [only, second] = all;
  if (only === undefined) {
    throw new CliError(
      "usage",
      "Cannot sign a token: isola.yaml has no subhosting; name the file with --config",
    );
  }
  const known = all.map((subhoster) => subhoster.id).join(", ");
  if (id === undefined) {
    if (second === undefined) return only;
    throw new CliError("usage", `Cannot sign a token: name its --subhoster: ${known}`);
  }
  const found = all.find((subhoster) => subhoster.id === id);
  if (found !== undefined) return found;
  throw new CliError("usage", `Cannot use --subhoster "${id}": must be ${known}`);
}

function chosenRpcRoot(given: string | undefined, allowed: readonly string[]): string {
  const known = allowed.join(", ");
  if (given === undefined) {
    if (allowed.length === 1) return allowed[0]!;
    throw new CliError("usage", `Cannot sign a token: name its --rpc-root: ${known}`);
  }
  const url = URL.parse(given)?.href;
  if (url?.endsWith("/") && allowed.some((root) => url.startsWith(root))) return url;
  throw new CliError(
    "usage",
    `Cannot use --rpc-root "${given}": must end in "/", and be or be below ${known}`,
  );
}

function lifetimeS(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIFETIME_S;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : Math.floor((parseDurationMs(text) ?? 0) / 1000);
  if (seconds >= 1 && seconds <= MAX_LIFETIME_S) return seconds;
  throw new CliError(
    "usage",
    `Cannot use --expires-in "${text}": must be like 900 (seconds), 15m, 2h; at most 1d`,
  );
}
