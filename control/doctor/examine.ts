import type { Config } from "../config/config.ts";
import { checkCertificates } from "./check_certificates.ts";
import { checkClock } from "./check_clock.ts";
import { checkMachine } from "./check_machine.ts";
import { checkNames } from "./check_names.ts";
import { checkPorts } from "./check_ports.ts";
import { checkSandbox } from "./check_sandbox.ts";
import { checkState } from "./check_state.ts";
import { checkSubhosting } from "./check_subhosting.ts";
import type { Finding } from "./finding.ts";

/** Finds out what on this machine keeps a server with that configuration from doing its work. Nothing is changed. */
export async function examine(config: Config, memoryBytes: number): Promise<Finding[]> {
  const found = await Promise.all([
    checkMachine(config, memoryBytes),
    checkSandbox(config),
    checkPorts(config),
    checkState(config),
    checkCertificates(config),
    checkClock(config),
    checkNames(config),
    checkSubhosting(config),
  ]);
  return found.flat();
}
