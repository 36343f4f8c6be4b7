import type { Program, ProvidedFiles, SandboxHome } from "../../isolate/mod.ts";
import type { Image, Limits } from "../model.ts";

/** What it takes to start a deployment. */
export interface Launch {
  image: Pick<Image, "entry" | "config">;
  /** Puts the deployment's files into a directory of the sandbox's own. */
  populate(dir: string): Promise<void>;
  /** Takes what can be used again out of that directory, after the end. */
  reclaim?(dir: string): Promise<void>;
  /**
   * Of a program whose modules have other names than their files, relative to that directory: their `ModuleIndex`, and what
   * Deno has made of the one in `image.entry`, where that is known.
   */
  modules?: { index: string; compiled: string };
  /** Not set = all its files are in that directory. */
  files?: ProvidedFiles;
  env: Record<string, string>;
  /** `null` = every public host. */
  net: string[] | null;
  limits: Limits;
}

/**
 * What a sandbox is given of a deployment.
 *
 * @param populated Called when its files are there; `null` = they are there already.
 */
export function programOf(
  { image, populate, reclaim, modules, files, env, net, limits }: Launch,
  populated: (() => void) | null,
): Program {
  return {
    populate: populated === null ? undefined : (dir) => populate(dir).then(populated),
    reclaim,
    entry: image.entry,
    // Only what the build made: no file of a deployment is in the folder of its bundle.
    compiled: image.config === undefined ? modules?.compiled ?? `${image.entry}.compiled` : undefined,
    modules: modules?.index,
    files,
    env,
    net: net ?? true,
    memoryMb: limits.memoryMb,
    bootTimeoutMs: limits.bootTimeoutMs,
  };
}

/**
 * Whether no blank sandbox can take the program: it needs a configuration or a heap from the start, or a list of hosts
 * where no proxy outside learns it.
 */
export function needsOwnSandbox(
  { image, net, limits }: Launch,
  { home, memoryMb }: { home: SandboxHome; memoryMb: number },
): boolean {
  return image.config !== undefined || limits.memoryMb > memoryMb ||
    (net !== null && home.egress === undefined);
}
