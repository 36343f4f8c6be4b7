const INITIAL_BYTES = 16 * 1024;
/** More is given back when it is empty. */
const MAX_KEPT_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);

/** The bytes of a body between who sends and who reads it, put together however they came. Flow control bounds it. */
export class BodyBuffer {
  #bytes: Uint8Array<ArrayBuffer> = NOTHING;
  #start = 0;
  #end = 0;

  /** Of what is there, in bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds a copy of `bytes`. */
  append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Takes out the next `length` bytes, which are there, to `out` at `at`. */
  take(length: number, out: Uint8Array, at: number): void {
    out.set(this.#bytes.subarray(this.#start, this.#start + length), at);
    this.#start += length;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = NOTHING;
  }

  /** Forgets everything. */
  clear(): void {
    this.#start = this.#end = 0;
    this.#bytes = NOTHING;
  }

  #makeRoom(length: number): void {
    const { length: before } = this;
    const needed = before + length;
    if (needed * 2 <= this.#bytes.length) this.#bytes.copyWithin(0, this.#start, this.#end);
    else {
      const grown = new Uint8Array(Math.max(needed * 2, INITIAL_BYTES));
      grown.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = grown;
    }
    this.#start = 0;
    this.#end = before;
  }
}
