import type { Confinement } from "../protocol.ts";
import { confine, type Confined } from "./confine.ts";
import { returnSpareStack } from "./spare_stack.ts";

/**
 * Confines this process as its keeper says; or, without layers of the operating system, takes nothing from it but the power
 * to call foreign functions. Before, what Deno needed only to start is returned.
 *
 * @returns what may still be tightened, if anything
 * @throws {Error} that names the call and its error; the process is then of no use
 */
export function confineHost(confinement: Confinement | undefined): Confined | undefined {
  if (confinement === undefined) {
    Deno.permissions.revokeSync({ name: "ffi" });
    return undefined;
  }
  returnSpareStack();
  const { filterFile, settledFilterFile, ...limits } = confinement;
  return confine({ ...limits, filter: readFilter(filterFile), settledFilter: readFilter(settledFilterFile) });
}

function readFilter(name: string | undefined): Uint8Array<ArrayBuffer> | undefined {
  return name === undefined ? undefined : Deno.readFileSync(new URL(`./${name}`, import.meta.url));
}
