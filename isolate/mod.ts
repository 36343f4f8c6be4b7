/**
 * One sandboxed deployment: start a blank sandbox, give it a program, talk to it, end it. It knows permissions, processes
 * and files on disk. It refuses to know tenants, routes, storage or HTTP APIs.
 */
export { boundExit } from "./bounded_exit.ts";
export { DENIED_NETWORKS, v8Flags } from "./command.ts";
export {
  type CompiledModule,
  encodeCompiledModule,
  readCompiledModule,
} from "./deno_cache/compiled_module.ts";
export { type Egress, startEgress } from "./egress/egress.ts";
export { isPublicAddress } from "./egress/public_address.ts";
export { seccompForTools } from "./layers/seccomp_programs.ts";
export { ignoreSignal } from "./ignored_signal.ts";
export type { AppLogLine } from "./log_intake.ts";
export { type SandboxEnd, type SandboxEndReason, SandboxError } from "./ending.ts";
export { endLeftProcesses } from "./janitor.ts";
export { openSandboxHome, type SandboxHome, type SandboxLayers } from "./home.ts";
export type { Program, ProvidedFiles, SandboxTraffic } from "./program.ts";
export type { ModuleIndex } from "./protocol.ts";
export { type Sandbox, startSandbox } from "./sandbox.ts";
export { scheduleInBatches } from "./scheduling.ts";
