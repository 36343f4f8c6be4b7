import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * What Deno finds out about a module when it loads it, as it keeps it in its `DENO_DIR` (cli/cache/module_info.rs,
 * code_cache.rs). Another version, other flags or another source are told by the hashes, and cost only the time to find
 * out.
 */
export interface CompiledModule {
  mediaType: number;
  /** Of the source, with Deno's version. */
  infoHash: bigint;
  /** What the module imports; JSON. */
  info: string;
  /** Of the source. */
  codeHash: bigint;
  /** V8's. */
  code: Uint8Array<ArrayBuffer>;
}

/** Deno's databases in its `DENO_DIR`, by what they hold. */
export const CACHE_FILES = { info: "dep_analysis_cache_v2", code: "v8_code_cache_v2" } as const;

/** A module's caches as a file. */
export function encodeCompiledModule(
  { code, infoHash, codeHash, ...rest }: CompiledModule,
): Uint8Array<ArrayBuffer> {
  const head = { ...rest, infoHash: String(infoHash), codeHash: String(codeHash) };
  const line = new TextEncoder().encode(JSON.stringify(head) + "\n");
  const bytes = new Uint8Array(line.length + code.length);
  bytes.set(line);
  bytes.set(code, line.length);
  return bytes;
}

/**
 * The opposite of {@linkcode encodeCompiledModule}.
 *
 * @throws {Error} when it is no such file
 */
export function decodeCompiledModule(bytes: Uint8Array<ArrayBuffer>): CompiledModule {
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  return {
    mediaType: Number(head.mediaType),
    infoHash: BigInt(head.infoHash),
    info: String(head.info),
    codeHash: BigInt(head.codeHash),
    code: bytes.subarray(end + 1),
  };
}

/**
 * What a Deno process with this `DENO_DIR` has kept of a module that it loaded; nothing if it has kept nothing.
 *
 * @throws {Error} when it has not even made its databases
 */
export function readCompiledModule(cacheDir: string, specifier: string): CompiledModule | undefined {
  const info = readRow(cacheDir, CACHE_FILES.info, "moduleinfocache", specifier);
  const code = readRow(cacheDir, CACHE_FILES.code, "codecache", specifier);
  if (info === undefined || code === undefined) return undefined;
  return {
    mediaType: Number(info.media_type),
    infoHash: info.source_hash as bigint,
    info: info.module_info as string,
    codeHash: code.source_hash as bigint,
    code: code.data as Uint8Array<ArrayBuffer>,
  };
}

function readRow(cacheDir: string, name: string, table: string, specifier: string) {
  using database = new DatabaseSync(join(cacheDir, name), { readOnly: true });
  const select = database.prepare(`SELECT * FROM ${table} WHERE specifier = ?`);
  select.setReadBigInts(true);
  return select.get(specifier);
}
