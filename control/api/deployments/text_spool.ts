/** Text up to here is held; what is longer is in a file. */
const MAX_HELD_LENGTH = 64 * 1024;
/** Bytes written and read at once. */
const BUFFER_BYTES = 64 * 1024;

interface SpoolFile {
  path: string;
  handle: Deno.FsFile;
  /** Used for all, so that a long text leaves little to the garbage collector. */
  buffer: Uint8Array<ArrayBuffer>;
}

/** A text that arrives in pieces, kept until it has all come and it is known what it is. */
export class TextSpool implements AsyncDisposable {
  readonly #newPath: () => string;
  #held = "";
  #length = 0;
  #isWellFormed = true;
  #file: SpoolFile | null = null;

  /** @param newPath Called once, when a file is wanted. */
  constructor(newPath: () => string) {
    this.#newPath = newPath;
  }

  /** UTF-16 units. */
  get length(): number {
    return this.#length;
  }

  /** Whether it has no lone surrogate. */
  get isWellFormed(): boolean {
    return this.#isWellFormed;
  }

  /** Adds a piece, which does not end within a character. */
  async add(piece: string): Promise<void> {
    this.#length += piece.length;
    this.#isWellFormed &&= piece.isWellFormed();
    this.#held += piece;
    if (this.#held.length > MAX_HELD_LENGTH) await this.#flush();
  }

  /** The whole text if it is short, else its UTF-8, each chunk of which is good until the next is asked for. */
  async read(): Promise<string | AsyncIterable<Uint8Array<ArrayBuffer>>> {
    if (this.#file === null) return this.#held;
    await this.#flush();
    await this.#file.handle.seek(0, Deno.SeekMode.Start);
    return chunks(this.#file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#held = "";
    this.#file = null;
    file?.handle.close();
    if (file !== null) await Deno.remove(file.path);
  }

  async #flush(): Promise<void> {
    this.#file ??= await createFile(this.#newPath());
    const { handle, buffer } = this.#file;
    for (let text = this.#held; text !== "";) {
      const { read, written } = new TextEncoder().encodeInto(text, buffer);
      text = text.slice(read);
      for (let done = 0; done < written;) done += await handle.write(buffer.subarray(done, written));
    }
    this.#held = "";
  }
}

async function createFile(path: string): Promise<SpoolFile> {
  const handle = await Deno.open(path, { read: true, write: true, createNew: true });
  return { path, handle, buffer: new Uint8Array(BUFFER_BYTES) };
}

async function* chunks({ handle, buffer }: SpoolFile): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let read = await handle.read(buffer); read !== null; read = await handle.read(buffer)) {
    yield buffer.subarray(0, read);
  }
}
