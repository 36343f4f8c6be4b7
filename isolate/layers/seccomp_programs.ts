import { join } from "node:path";
import { OWN_PID } from "../protocol.ts";
import { seccompFilter, settledFilter, toolFilter } from "./seccomp.ts";

/** The seccomp programs of the sandboxes on this machine, by their files in the boot directory. */
export const SECCOMP_FILES = {
  /** Of a sandbox that only gets to the egress proxy: before Deno is started, and by the host itself. */
  proxyOnly: ["proxy_only_1.bpf", "proxy_only_2.bpf"],
  /** Of one in the machine's network, within what Deno's permissions leave of it. */
  hostNetwork: ["host_network_1.bpf", "host_network_2.bpf"],
  /** Of any, when it has opened all that it opens by itself. */
  settled: "settled.bpf",
} as const;

/**
 * Writes the programs for the architecture of this machine.
 *
 * @returns false where the kernel has no seccomp (seccomp(2)), or the architecture is another than x86-64 and AArch64
 */
export async function writeSeccompPrograms(bootDir: string): Promise<boolean> {
  if (!await hasSeccomp()) return false;
  const { arch } = Deno.build;
  const { proxyOnly, hostNetwork, settled } = SECCOMP_FILES;
  const programs = {
    [proxyOnly[0]]: seccompFilter({ arch, stage: 1, sockets: "tcp4" }),
    [proxyOnly[1]]: seccompFilter({ arch, stage: 2, sockets: "tcp4", selfPid: OWN_PID }),
    [hostNetwork[0]]: seccompFilter({ arch, stage: 1, sockets: "ipv4" }),
    [hostNetwork[1]]: seccompFilter({ arch, stage: 2, sockets: "ipv4", selfPid: OWN_PID }),
    [settled]: settledFilter(arch),
  };
  for (const [name, program] of Object.entries(programs)) await Deno.writeFile(join(bootDir, name), program);
  return true;
}

/** The program for tools that build a deployment; nothing where there is no seccomp. */
export async function seccompForTools(): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return await hasSeccomp() ? toolFilter(Deno.build.arch) : undefined;
}

async function hasSeccomp(): Promise<boolean> {
  return await Deno.stat("/proc/sys/kernel/seccomp/actions_avail").then(() => true, () => false);
}
