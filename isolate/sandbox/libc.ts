/** libc's calls by which a process gives up power, through Deno's foreign function interface. */

/** glibc's: there is no Deno on Linux for another. */
const LIBRARY = "libc.so.6";

const ERRNO_BYTES = 4;
const ERROR_SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
} as const;

/** Functions of libc, and what their results mean. */
export interface Libc<S extends Deno.ForeignLibraryInterface> {
  readonly calls: Deno.DynamicLibrary<S>["symbols"];
  /**
   * The result of a call that has just returned. The error that it names is libc's last on this thread, which V8 can have
   * replaced in between by one of its own, if rarely.
   *
   * @throws {Error} that names `action` and libc's error, when the result is negative
   */
  succeed(action: string, result: number | bigint): number;
}

/**
 * Opens some functions of libc, for the thread that calls this.
 *
 * @throws {Deno.errors.NotCapable} without the permission `ffi`
 */
export function openLibc<const S extends Deno.ForeignLibraryInterface>(symbols: S): Libc<S> {
  const { __errno_location, strerror } = Deno.dlopen(LIBRARY, ERROR_SYMBOLS).symbols;
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(__errno_location()!, ERRNO_BYTES));
  return {
    calls: Deno.dlopen(LIBRARY, symbols).symbols,
    succeed(action, result) {
      if (result >= 0) return Number(result);
      const [code] = errno;
      const text = Deno.UnsafePointerView.getCString(strerror(code!)!);
      throw new Error(`Cannot ${action}: ${text} (errno ${code})`);
    },
  };
}

/** A string as C knows it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/**
 * Where bytes lie, for a structure that points to them: whoever passes it to a call keeps them alive until it returns.
 * Through their buffer, because V8 moves a small array until somebody has asked for that.
 */
export function addressOf({ buffer, byteOffset }: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer))) + BigInt(byteOffset);
}

/** Of `struct sock_filter`. */
const INSTRUCTION_BYTES = 8;

/** `struct sock_fprog` (seccomp(2)), which points to the program. */
export function seccompProgram(filter: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, filter.length / INSTRUCTION_BYTES, true);
  view.setBigUint64(8, addressOf(filter), true);
  return bytes;
}
