import { networkFailure } from "../certificates/acme/network_failure.ts";
import type { Config } from "../config/config.ts";
import { weakSecrets } from "../config/subhosting_config.ts";
import type { Finding } from "./finding.ts";

const CHECK = "subhosting";
const TIMEOUT_MS = 5000;

/** Whether secrets of subhosters are good, and their origins answer; without any there is nothing to say. */
export async function checkSubhosting({ subhosting }: Config): Promise<Finding[]> {
  const weak = weakSecrets(subhosting).map((message): Finding => ({
    check: CHECK,
    status: "warning",
    message,
    advice: "Make a better one: openssl rand -hex 32",
  }));
  const origins = subhosting.flatMap(({ id, rpcRoots }) =>
    rpcRoots.map((rpcRoot) => checkOrigin(id, rpcRoot))
  );
  return [...weak, ...await Promise.all(origins)];
}

/** Any answer is one: what it says to whom without a token is the origin's affair. */
async function checkOrigin(id: string, rpcRoot: string): Promise<Finding> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(rpcRoot, { method: "HEAD", redirect: "manual", signal });
    await response.body?.cancel();
    return { check: CHECK, status: "ok", message: `the origin of "${id}" answers at ${rpcRoot}` };
  } catch (error) {
    return {
      check: CHECK,
      status: "warning",
      message: `the origin of "${id}" does not answer at ${rpcRoot}: ${networkFailure(error)}`,
      advice: "Deployments that are kept already go on without it",
    };
  }
}
