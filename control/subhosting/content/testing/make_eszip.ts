// @ts-types="./eszip.d.ts"
import { build } from "@deno/eszip";

/** Of an archive that is made for a test. */
export interface EszipOptions {
  root: string;
  /** By specifier. */
  sources: Record<string, { type: string; content: string | Uint8Array }>;
  /** Where specifiers lead that have no source. */
  redirects?: Record<string, string>;
  /** Specifier of an import map among the sources. */
  importMap?: string;
}

/** An archive as Deno makes it. */
export function makeEszip(
  { root, sources, redirects = {}, importMap }: EszipOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  return build([root], (wanted) => {
    const specifier = redirects[wanted] ?? wanted;
    const { type, content } = sources[specifier]!;
    return Promise.resolve({ kind: "module", specifier, headers: { "content-type": type }, content });
  }, importMap);
}
