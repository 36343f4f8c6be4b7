/** What frameworks ask of the machine when they start, answered without telling anything of it. */
import os from "node:os";

const LOOPBACK: ReturnType<typeof os.networkInterfaces> = {
  lo: [{
    address: "127.0.0.1",
    netmask: "255.0.0.0",
    family: "IPv4",
    mac: "00:00:00:00:00:00",
    internal: true,
    cidr: "127.0.0.1/8",
  }],
};

/**
 * The program's machine is called localhost and has a loopback interface. For `Deno.*` and for `os.*` of the default
 * import or `require`; names imported from `node:os` one by one are refused by the permissions.
 */
export function hideMachine(): void {
  os.hostname = Deno.hostname = () => "localhost";
  os.networkInterfaces = () => structuredClone(LOOPBACK);
}
