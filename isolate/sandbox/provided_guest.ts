/**
 * What the guest imports besides, for a program whose modules or files are provided: most have neither, and pay nothing for
 * it. It holds nothing but what it is told.
 */
import { fileURLToPath } from "node:url";
import type { AssignMessage, ModuleIndex, ToSandbox } from "../protocol.ts";
import { FileRequests, type FileRequestsOptions } from "./file_requests.ts";
import { FileView } from "./file_view.ts";
import { serveLegacy } from "./legacy_serving.ts";
import { useModuleIndex } from "./module_index.ts";
import { provideDeno } from "./provided_deno.ts";
import { FetchedFiles } from "./fetched_files.ts";
import { substituteNodeFs } from "./provided_node.ts";
import type { Served } from "./serve.ts";

/** What {@linkcode provide} works with. */
export interface ProvideOptions
  extends Required<Pick<AssignMessage, "modules">>, Pick<AssignMessage, "files">, FileRequestsOptions {
  appDir: string;
  served: Served;
}

/** By which a module of ours is imported. */
const REHEARSAL = "file:///rehearsal.js";

/** Imports a module as it will a program's, so that what loads one by an index has run before. */
export async function rehearse(): Promise<void> {
  const folder = fileURLToPath(new URL("./", import.meta.url));
  const index: ModuleIndex = { modules: { [REHEARSAL]: { file: "rehearsal.js", format: "module" } } };
  const used = useModuleIndex({ index, folder, appDir: folder, substitutes: {} });
  await import(REHEARSAL);
  used.remove();
}

/**
 * To be called when the program's directory is filled, before it is imported.
 *
 * @returns errors' text as the program's author knows it
 * @throws {Error} when the index of its modules cannot be read
 */
export function provide(
  { modules: path, files: filesDir, appDir, served, ...options }: ProvideOptions,
): (text: string) => string {
  serveLegacy(served);
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const index = JSON.parse(Deno.readTextFileSync(path)) as ModuleIndex;
  if (filesDir === undefined) return useModuleIndex({ index, folder, appDir, substitutes: {} }).present;
  const requests = new FileRequests(options);
  const files = new FetchedFiles(new FileView(filesDir), requests);
  self.addEventListener("message", (event) => {
    const { data } = event as MessageEvent<ToSandbox>;
    if (data?.type === "file") requests.answer(data);
  });
  const { present } = useModuleIndex({ index, folder, appDir, substitutes: substituteNodeFs(files) });
  provideDeno(files);
  return (text) => files.present(present(text));
}
