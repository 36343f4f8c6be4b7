import process from "node:process";
import { REST_SIGNAL } from "../protocol.ts";
import { nodeBinding } from "./node_binding.ts";

/** Bindings whose handles can take over a descriptor by its number. A `TTY` takes over nothing but a terminal. */
const HANDLES = [["tcp_wrap", "TCP"], ["pipe_wrap", "Pipe"], ["udp_wrap", "UDP"]] as const;
/** libuv's UV_EPERM. */
const NOT_PERMITTED = -1;
/** libuv's UV_EACCES. */
const NO_ACCESS = -13;

/**
 * Closes what the runtime leaves open to a program whatever its permissions: descriptors of the process that are not its
 * own, signals to itself, devices, and calls that end the process. A second line: none of it leads out of the sandbox.
 */
export function closeDoors(): void {
  for (const [binding, handle] of HANDLES) {
    seal(prototypeOf(binding, handle), "open", () => NOT_PERMITTED);
  }
  // Nobody could connect: only what a deployment serves is reached, and that is by neither.
  // Where it is Deno's permissions that refuse an address, they would throw past whoever handles errors.
  for (const listen of ["bind", "bind6", "bindWithFlags", "listen"]) {
    seal(prototypeOf("tcp_wrap", "TCP"), listen, () => NO_ACCESS);
  }
  for (const bind of ["bind", "bind6"]) seal(prototypeOf("udp_wrap", "UDP"), bind, () => NO_ACCESS);
  refuseSignals();
  hideRestSignal();
  refuseVsock();
  seal(Object.getPrototypeOf(navigator), "gpu", undefined);
}

function prototypeOf(binding: string, handle: string): object {
  return nodeBinding<Record<string, { prototype: object }>>(binding)[handle]!.prototype;
}

/** Whether a process lives (signal 0) may still be asked. */
function refuseSignals() {
  const node = process as unknown as { _kill(pid: number, signal: number): number };
  const { _kill } = node;
  seal(node, "_kill", (pid: number, signal: number) => signal === 0 ? _kill(pid, 0) : NOT_PERMITTED);
  seal(Deno, "kill", function kill() {
    throw new Deno.errors.NotCapable("Requires run access, which a deployment does not have");
  });
}

/** The one signal that a sandbox gets is for the runtime. Programs may listen for any; `process.on` calls this, too. */
function hideRestSignal() {
  const { addSignalListener, removeSignalListener } = Deno;
  const others = (change: typeof addSignalListener): typeof addSignalListener => (signal, listener) => {
    if (signal !== REST_SIGNAL) change(signal, listener);
  };
  Object.assign(Deno, {
    addSignalListener: others(addSignalListener),
    removeSignalListener: others(removeSignalListener),
  });
}

/** Without its flag, which a sandbox does not have, the runtime ends the process (status 70). */
function refuseVsock() {
  const connect = Deno.connect as unknown as (options: { transport?: string }) => Promise<Deno.Conn>;
  Object.assign(Deno, {
    async connect(options: { transport?: string }) {
      if (options.transport !== "vsock") return await connect(options);
      throw new Deno.errors.NotSupported(
        'Cannot connect: transport "vsock" is not available in a deployment',
      );
    },
  });
}

/** For good. */
function seal(target: object, name: string, value: unknown) {
  Object.defineProperty(target, name, { value, writable: false, configurable: false, enumerable: true });
}
