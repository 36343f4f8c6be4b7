/** What frameworks ask of the machine when they start, answered without telling anything of it. */

const LOOPBACK: Deno.NetworkInterfaceInfo = {
  name: "lo",
  family: "IPv4",
  address: "127.0.0.1",
  netmask: "255.0.0.0",
  scopeid: null,
  cidr: "127.0.0.1/8",
  mac: "00:00:00:00:00:00",
};

/** The program's machine is called localhost and has a loopback interface. `node:os` asks these functions, too. */
export function hideMachine(): void {
  Deno.hostname = () => "localhost";
  Deno.networkInterfaces = () => [{ ...LOOPBACK }];
}
