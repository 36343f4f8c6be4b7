/**
 * What the tests use of Deno's own package. Its declarations bring those of an old Node.js with them, which take the place of
 * Deno's in every file that is checked together with them.
 */
export function build(
  roots: string[],
  load: (specifier: string) => Promise<{
    kind: "module";
    specifier: string;
    headers: Record<string, string>;
    content: string | Uint8Array;
  }>,
  importMapUrl?: string,
): Promise<Uint8Array<ArrayBuffer>>;
