import { join } from "node:path";
import { seccompFilter } from "./seccomp.ts";

/** The seccomp programs of the sandboxes on this machine, by their files in the boot directory. */
export const SECCOMP_FILES = {
  /** Of a sandbox with a network of its own: before Deno is started, and by the host itself. */
  ownNetwork: ["own_network_1.bpf", "own_network_2.bpf"],
  /** Of one in the machine's network that only gets to the egress proxy. */
  proxyOnly: ["proxy_only_1.bpf", "proxy_only_2.bpf"],
  /** Of one in the machine's network, within what Deno's permissions leave of it. */
  hostNetwork: ["host_network_1.bpf", "host_network_2.bpf"],
} as const;

/** In its process namespace the host comes after bubblewrap. */
const HOST_PID = 2;

/**
 * Writes the programs for the architecture of this machine.
 *
 * @returns false where the kernel has no seccomp (seccomp(2)), or the architecture is another than x86-64 and AArch64
 */
export async function writeSeccompPrograms(bootDir: string): Promise<boolean> {
  const supported = await Deno.stat("/proc/sys/kernel/seccomp/actions_avail").then(() => true, () => false);
  if (!supported) return false;
  const { arch } = Deno.build;
  const programs = {
    [SECCOMP_FILES.ownNetwork[0]]: seccompFilter({ arch, stage: 1, sockets: "any" }),
    [SECCOMP_FILES.ownNetwork[1]]: seccompFilter({ arch, stage: 2, sockets: "any", selfPid: HOST_PID }),
    [SECCOMP_FILES.proxyOnly[0]]: seccompFilter({ arch, stage: 1, sockets: "tcp4" }),
    [SECCOMP_FILES.proxyOnly[1]]: seccompFilter({ arch, stage: 2, sockets: "tcp4" }),
    [SECCOMP_FILES.hostNetwork[0]]: seccompFilter({ arch, stage: 1, sockets: "ipv4" }),
    [SECCOMP_FILES.hostNetwork[1]]: seccompFilter({ arch, stage: 2, sockets: "ipv4" }),
  };
  for (const [name, program] of Object.entries(programs)) await Deno.writeFile(join(bootDir, name), program);
  return true;
}
