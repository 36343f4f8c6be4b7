import type { ModuleIndex } from "../../../isolate/mod.ts";
import { isObject } from "../../api/projects/variables.ts";
import { Turn } from "../../scheduling/turn.ts";
import type { IsolateConfig } from "../model.ts";
import { OriginError } from "../origin/origin_error.ts";
import { type EszipEntry, readEszip } from "./eszip.ts";

/** The modules of a program, as they are kept. */
export interface ProgramModules {
  index: ModuleIndex;
  /** By the names that the index has for them. */
  sources: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** Specifier of the module to import. */
  entry: string;
  /** Name of its source. */
  entryFile: string;
}

type Format = "module" | "json" | "wasm";

const FORMATS: Partial<Record<EszipEntry["kind"], Format>> = {
  javascript: "module",
  json: "json",
  wasm: "wasm",
};
/** Deno takes a file for what its name says. */
const EXTENSIONS = { module: "mjs", json: "json", wasm: "wasm" } satisfies Record<Format, string>;
/** Of all specifiers together: the index is read at each start. */
const MAX_SPECIFIER_BYTES = 1024 ** 2;
const MAX_IMPORT_MAP_BYTES = 256 * 1024;
const MAX_REDIRECTS = 10;
/** Of what is told of an error: names in it may be of any length. */
const MAX_WHY_LENGTH = 500;
/** Decoded in one go. */
const CHUNK_BYTES = 256 * 1024;

/**
 * What an origin sent as a deployment's code, as modules.
 *
 * @throws {OriginError} `invalid`: it cannot be used; the message is for the subhoster
 */
export async function programModules(
  { entrypoint, layer }: Pick<IsolateConfig, "entrypoint" | "layer">,
  body: Uint8Array<ArrayBuffer>,
): Promise<ProgramModules> {
  const entries = layer.kind === "eszip"
    ? await readEszip(body)
    : new Map<string, EszipEntry>([[layer.specifier, { kind: "javascript", source: body }]]);
  const importMap = importMapOf(entries, entrypoint);
  const { modules, sources } = await nameSources(entries);
  const entry = urlOf(entrypoint);
  return { index: { modules, importMap }, sources, entry, entryFile: entryFile(modules, entry) };
}

/** Gives each source the name of a file. */
async function nameSources(entries: Map<string, EszipEntry>) {
  const turn = new Turn();
  const modules: ModuleIndex["modules"] = {};
  const sources = new Map<string, Uint8Array<ArrayBuffer>>();
  let specifierBytes = 0;
  for (const [specifier, entry] of entries) {
    const format = FORMATS[entry.kind];
    const url = urlOf(specifier);
    specifierBytes += url.length;
    if (entry.kind === "redirect") {
      const redirect = urlOf(entry.target);
      specifierBytes += redirect.length;
      modules[url] = { redirect };
    } else if (format !== undefined) {
      if (format !== "wasm") await checkText(specifier, entry.source, turn);
      const file = `${sources.size}.${EXTENSIONS[format]}`;
      modules[url] = { file, format };
      sources.set(file, entry.source);
    }
    if (specifierBytes > MAX_SPECIFIER_BYTES) {
      throw unusable(`the names of its modules are longer than ${MAX_SPECIFIER_BYTES} bytes in all`);
    }
    if (turn.isOver()) await turn.next();
  }
  return { modules, sources };
}

function entryFile(modules: ModuleIndex["modules"], entry: string): string {
  let specifier = entry;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const module = Object.hasOwn(modules, specifier) ? modules[specifier] : undefined;
    if (module !== undefined && "redirect" in module) specifier = module.redirect;
    else if (module?.format === "module") return module.file;
    else break;
  }
  throw unusable(`its entrypoint "${entry}" is none of its JavaScript modules`);
}

/** An archive has its import map before all modules, and does not say so otherwise (libs/eszip/v2.rs, `add_import_map`). */
function importMapOf(entries: Map<string, EszipEntry>, entrypoint: string): ModuleIndex["importMap"] {
  const [first] = entries;
  if (first === undefined || first[0] === entrypoint) return undefined;
  const [specifier, entry] = first;
  if (entry.kind !== "json" && entry.kind !== "jsonc") return undefined;
  if (entry.source.length > MAX_IMPORT_MAP_BYTES) {
    throw unusable(`its import map is longer than ${MAX_IMPORT_MAP_BYTES} bytes`);
  }
  const map = parseJson(entry.source);
  if (map === undefined && entry.kind === "jsonc") {
    throw unusable(`its import map "${specifier}" is not JSON; comments are not understood there`);
  }
  if (!isObject(map) || !(isObject(map.imports) || isObject(map.scopes))) return undefined;
  return {
    url: urlOf(specifier),
    imports: isObject(map.imports) ? stringsOf(map.imports) : undefined,
    scopes: isObject(map.scopes)
      ? Object.fromEntries(
        Object.entries(map.scopes).map(([scope, imports]) => [
          scope,
          isObject(imports) ? stringsOf(imports) : {},
        ]),
      )
      : undefined,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function stringsOf(values: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

function urlOf(specifier: string): string {
  const url = URL.parse(specifier);
  if (url === null) throw unusable(`the name of its module "${specifier}" is not an absolute URL`);
  return url.href;
}

async function checkText(specifier: string, source: Uint8Array, turn: Turn): Promise<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for (let at = 0; at < source.length; at += CHUNK_BYTES) {
      decoder.decode(source.subarray(at, at + CHUNK_BYTES), { stream: true });
      if (turn.isOver()) await turn.next();
    }
    decoder.decode();
  } catch {
    throw unusable(`its module "${specifier}" is not UTF-8`);
  }
}

function unusable(why: string): OriginError {
  return new OriginError(
    "invalid",
    `Cannot use the code that the origin sent: ${why.slice(0, MAX_WHY_LENGTH)}`,
  );
}
