/** State of a socket in `/proc/net/tcp`: `TCP_LISTEN`. */
const LISTENING = "0A";

/** The IPv4 ports on which this process listens. */
export function listeningPorts(): Set<number> {
  const inodes = new Set<string>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/self/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed meanwhile.
    }
  }
  const ports = new Set<number>();
  for (const line of Deno.readTextFileSync("/proc/self/net/tcp").split("\n").slice(1)) {
    const [, address = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    if (state === LISTENING && inodes.has(inode)) ports.add(parseInt(address.split(":")[1]!, 16));
  }
  return ports;
}
