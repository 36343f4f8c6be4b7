import { createHash } from "node:crypto";
import { Turn } from "../../scheduling/turn.ts";
import { OriginError } from "../origin/origin_error.ts";
import { hashContent } from "./hash_content.ts";

/** One entry of an eszip. `jsonc` is there for import maps alone, `data` for who reads the archive itself. */
export type EszipEntry =
  | { kind: "javascript" | "json" | "jsonc" | "data" | "wasm"; source: Uint8Array<ArrayBuffer> }
  | { kind: "redirect"; target: string };

/** What an eszip begins with, by the parts of the format that it has. */
const VERSIONS: Record<string, { npm: boolean; options: boolean }> = {
  "ESZIP_V2": { npm: false, options: false },
  "ESZIP2.1": { npm: true, options: false },
  "ESZIP2.2": { npm: true, options: true },
  "ESZIP2.3": { npm: true, options: true },
};
const MAGIC_BYTES = 8;
const KINDS = ["javascript", "json", "jsonc", "data", "wasm"] as const;
const MODULE = 0;
const REDIRECT = 1;
const NPM_SPECIFIER = 2;
const CHECKSUM_OPTION = 0;
const CHECKSUM_SIZE_OPTION = 1;
const SHA256 = 1;
/** Bytes by number: none, SHA-256, XXH3. */
const CHECKSUM_SIZES = [0, 32, 8];
const MAX_ENTRIES = 10_000;
/** Of one specifier: it is parsed as a URL in one go. */
const MAX_SPECIFIER_BYTES = 64 * 1024;
/** Of what is told of an error: names in it may be of any length. */
const MAX_WHY_LENGTH = 500;

/**
 * Reads an eszip of version 2 to 2.3 (denoland/deno, libs/eszip/v2.rs): entries by their specifiers, in the archive's order.
 * Source maps are left out. SHA-256 checksums are verified; of others, as Deno does, only their size matters.
 *
 * @throws {OriginError} `invalid`: it is none, is damaged, or has packages from npm
 */
export async function readEszip(bytes: Uint8Array<ArrayBuffer>): Promise<Map<string, EszipEntry>> {
  const reader = new EszipReader(bytes);
  const { npm, options } = reader.version();
  if (options) await reader.options();
  const header = await reader.section("list of modules");
  if (npm && (await reader.section("list of packages")).length > 0) throw npmRefused();
  const sources = reader.take(reader.uint32("sources"), "sources");
  return await readEntries(new EszipReader(header), (range) => reader.source(sources, range));
}

interface Range {
  offset: number;
  length: number;
}

async function readEntries(
  header: EszipReader,
  sourceAt: (range: Range) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Map<string, EszipEntry>> {
  const turn = new Turn();
  const entries = new Map<string, EszipEntry>();
  while (!header.isAtEnd) {
    if (entries.size >= MAX_ENTRIES) throw damaged(`it has more than ${MAX_ENTRIES} modules`);
    const specifier = header.text("a specifier");
    if (entries.has(specifier)) throw damaged(`"${specifier}" is there twice`);
    const frame = header.uint8("a kind");
    if (frame === NPM_SPECIFIER) throw npmRefused();
    if (frame !== MODULE && frame !== REDIRECT) throw damaged(`"${specifier}" has the unknown kind ${frame}`);
    if (frame === REDIRECT) entries.set(specifier, { kind: "redirect", target: header.text("a target") });
    else {
      const range = { offset: header.uint32("an offset"), length: header.uint32("a length") };
      header.take(8, "a source map's place");
      const kind = KINDS[header.uint8("a module's kind")];
      if (kind === undefined) throw damaged(`"${specifier}" is a module of an unknown kind`);
      entries.set(specifier, { kind, source: await sourceAt(range) });
    }
    if (turn.isOver()) await turn.next();
  }
  return entries;
}

/** Reads from the start to the end, never past it. */
class EszipReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;
  #sourcesLeft = Infinity;
  #checksum = { isSha256: false, size: 0 };

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  version(): { npm: boolean; options: boolean } {
    const magic = String.fromCharCode(...this.take(MAGIC_BYTES, "version"));
    const version = Object.hasOwn(VERSIONS, magic) ? VERSIONS[magic] : undefined;
    if (version === undefined) throw damaged(`"${magic}" is a version that is not known`);
    if (!version.options) this.#checksum = { isSha256: true, size: CHECKSUM_SIZES[SHA256]! };
    return version;
  }

  async options(): Promise<void> {
    const options = this.take(this.uint32("options"), "options");
    let [kind, size]: [number, number | undefined] = [0, undefined];
    for (let at = 0; at + 1 < options.length; at += 2) {
      if (options[at] === CHECKSUM_OPTION) kind = options[at + 1]!;
      if (options[at] === CHECKSUM_SIZE_OPTION) size = options[at + 1]!;
    }
    size ??= CHECKSUM_SIZES[kind];
    if (size === undefined) throw damaged(`it has checksums of the unknown kind ${kind}`);
    this.#checksum = { isSha256: kind === SHA256, size };
    await this.#verify(options, this.take(size, "checksum of the options"), "options");
  }

  /** What has its length before it and its checksum behind it. */
  async section(what: string): Promise<Uint8Array<ArrayBuffer>> {
    const content = this.take(this.uint32(what), what);
    await this.#verify(content, this.take(this.#checksum.size, what), what);
    return content;
  }

  /** **Invariant:** all that it returns together is no longer than `sources`. */
  async source(
    sources: Uint8Array<ArrayBuffer>,
    { offset, length }: Range,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const end = offset + length;
    if (end > sources.length) throw damaged("a module's source is not there");
    this.#sourcesLeft = Math.min(this.#sourcesLeft, sources.length) - length;
    if (this.#sourcesLeft < 0) throw damaged("its modules overlap");
    const content = sources.subarray(offset, end);
    if (length > 0) await this.#verify(content, sources.subarray(end, end + this.#checksum.size), "a module");
    return content;
  }

  take(length: number, what: string): Uint8Array<ArrayBuffer> {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw damaged(`it ends in the middle: ${what}`);
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  uint8(what: string): number {
    return this.take(1, what)[0]!;
  }

  uint32(what: string): number {
    const { buffer, byteOffset } = this.take(4, what);
    return new DataView(buffer, byteOffset).getUint32(0);
  }

  text(what: string): string {
    const length = this.uint32(what);
    if (length > MAX_SPECIFIER_BYTES) throw damaged(`${what} is longer than ${MAX_SPECIFIER_BYTES} bytes`);
    const bytes = this.take(length, what);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw damaged(`${what} is not UTF-8`);
    }
  }

  async #verify(content: Uint8Array, checksum: Uint8Array, what: string): Promise<void> {
    if (!this.#checksum.isSha256) return;
    const hash = createHash("sha256");
    await hashContent(hash, content, new Turn());
    if (hash.digest("hex") !== checksum.toHex()) throw damaged(`the checksum is wrong: ${what}`);
  }
}

function damaged(why: string): OriginError {
  return new OriginError(
    "invalid",
    `Cannot use the eszip that the origin sent: ${why.slice(0, MAX_WHY_LENGTH)}`,
  );
}

function npmRefused(): OriginError {
  return damaged(
    "it has packages from npm, which are not run from an eszip here; bundle them into its modules",
  );
}
