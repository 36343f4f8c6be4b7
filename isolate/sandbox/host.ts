/**
 * The main isolate of a sandbox's process: our code, but in a process that the tenant's code may take over, so it holds
 * nothing of value. It starts the Worker that carries the tenant, passes messages, and ends the process with its keeper.
 */
import type { Confined } from "./confine.ts";
import { confineHost } from "./confine_host.ts";
import { hostGuest } from "./host_guest.ts";

let confined: Confined | undefined;

try {
  await hostGuest({
    control: Deno.env.get("CONTROL_SOCKET")!,
    // What the tenant must not be able to do is out of this process's reach before there is a tenant.
    prepare(message) {
      confined = confineHost(message.confinement);
    },
    prepared: () => confined?.settle(),
    limit: ({ maxDataBytes }) => confined?.limitData(maxDataBytes),
  });
} finally {
  // The keeper is gone: so is the reason to live. `exit` ends a busy Worker too, `terminate` would not.
  Deno.exit(0);
}
