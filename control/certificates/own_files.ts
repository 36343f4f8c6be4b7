import type { CertificateMaterial } from "../model.ts";
import type { CertificateSource } from "./certificate_book.ts";
import { CertificateError } from "./certificate_error.ts";
import { checkCertificate } from "./check_certificate.ts";

/** Where a certificate of the operator is. Absolute paths. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** How {@linkcode OwnFiles} are watched. */
export interface OwnFilesOptions {
  /** Told when a changed pair cannot be used; the one before goes on serving. */
  warn(message: string): void;
  /**
   * A change is taken up when it was the same twice, so that a pair is not read between its two files.
   *
   * @default {300}
   */
  pollMs?: number;
}

/** One pair, as it was read last. */
interface Pair {
  files: CertificateFiles;
  material: CertificateMaterial;
  /** Of what was tried last, and of what was seen last. */
  tried: string;
  seen: string;
  /** Polls after which it is tried again unchanged: there may have been no file descriptor, or it was too early for it. */
  retryIn: number;
}

const DEFAULT_POLL_MS = 300;
const RETRY_POLLS = 200;
/** Read and checked at once: with more, what is garbage soon is kept for longer. */
const BATCH = 4;

/**
 * The operator's own certificates, read again when their files change: by their state rather than by events, because they are
 * often symlinks somewhere below which a link is swapped (certbot, Kubernetes).
 */
export class OwnFiles implements CertificateSource, AsyncDisposable {
  readonly #pairs: readonly Pair[];
  readonly #warn: OwnFilesOptions["warn"];
  readonly #pollMs: number;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #polling: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** Use {@linkcode openOwnFiles}. */
  constructor(pairs: readonly Pair[], { warn, pollMs = DEFAULT_POLL_MS }: OwnFilesOptions) {
    this.#pairs = pairs;
    this.#warn = warn;
    this.#pollMs = pollMs;
    if (pairs.length > 0) this.#pollLater();
  }

  all(): readonly CertificateMaterial[] {
    return this.#pairs.map(({ material }) => material);
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the watching. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  #pollLater(): void {
    this.#timer = setTimeout(() => this.#polling = this.#poll(), this.#pollMs);
  }

  async #poll(): Promise<void> {
    let hasChanged = false;
    for (const pair of this.#pairs) hasChanged = await this.#look(pair) || hasChanged;
    if (this.#isClosed) return;
    if (hasChanged) { for (const listener of this.#listeners) listener(); }
    this.#pollLater();
  }

  /** Whether there is a new certificate. */
  async #look(pair: Pair): Promise<boolean> {
    const state = stateOf(pair.files);
    const isSettled = state === pair.seen;
    pair.seen = state;
    const isNew = state !== pair.tried;
    if (!isSettled || (!isNew && --pair.retryIn > 0)) return false;
    pair.tried = state;
    try {
      pair.material = await read(pair.files);
      pair.retryIn = Infinity;
      return true;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      pair.retryIn = RETRY_POLLS;
      if (isNew) {
        this.#warn(`${error.message}; the one before is still served, until "${pair.material.expiresAt}"`);
      }
      return false;
    }
  }
}

/**
 * Reads and checks the operator's own certificates, and watches their files from now on.
 *
 * @throws {CertificateError} when one cannot be used, with its path
 */
export async function openOwnFiles(
  all: readonly CertificateFiles[],
  options: OwnFilesOptions,
): Promise<OwnFiles> {
  const pairs: Pair[] = [];
  for (let start = 0; start < all.length; start += BATCH) {
    pairs.push(...await Promise.all(all.slice(start, start + BATCH).map(readPair)));
  }
  return new OwnFiles(pairs, options);
}

async function readPair(files: CertificateFiles): Promise<Pair> {
  const state = stateOf(files);
  return { files, material: await read(files), tried: state, seen: state, retryIn: Infinity };
}

async function read({ cert, key }: CertificateFiles): Promise<CertificateMaterial> {
  const subject = cert === key ? `"${cert}"` : `"${cert}" with key "${key}"`;
  const [chain, privateKey] = await Promise.all([cert, key].map((path) => readText(path, subject)));
  try {
    return await checkCertificate({ chain: chain!, privateKey: privateKey! });
  } catch (cause) {
    if (cause instanceof CertificateError) throw new CertificateError(cause.problem, { subject, cause });
    throw cause;
  }
}

async function readText(path: string, subject: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new CertificateError(`"${path}" cannot be read: ${(cause as Error).message}`, { subject, cause });
  }
}

/** Differs when a file is written, replaced, or linked elsewhere. A thousand pairs take 10 ms. */
function stateOf({ cert, key }: CertificateFiles): string {
  return [cert, key].map((path) => {
    try {
      const { dev, ino, size, mtime, ctime } = Deno.statSync(path);
      return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join();
    } catch (error) {
      return (error as Error).name;
    }
  }).join(" ");
}
