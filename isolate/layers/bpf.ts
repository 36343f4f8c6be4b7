/** One instruction of classic BPF as seccomp runs it over `struct seccomp_data` (seccomp(2)). */
export interface Instruction {
  code: number;
  /** Instructions to skip if the condition holds, and if it does not. */
  jt: number;
  jf: number;
  k: number;
}

/** The instructions that seccomp programs here are made of (linux/bpf_common.h). */
export const OPCODE = {
  load: 0x20,
  and: 0x54,
  jumpIfEqual: 0x15,
  jumpIfGreater: 0x25,
  jumpIfSet: 0x45,
  return: 0x06,
};

/** Offsets in `struct seccomp_data`. */
export const DATA = { number: 0, architecture: 4, args: 16 };

/** Verdicts (linux/seccomp.h). */
export const VERDICT = { allow: 0x7fff_0000, killProcess: 0x8000_0000, errno: 0x0005_0000 };

/** A piece of a program. In it, what does not end by a verdict goes on with the next piece. */
export type Piece = readonly Instruction[];

const instruction = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });

/** The call may be made. */
export const ALLOW: Piece = [instruction(OPCODE.return, VERDICT.allow)];
/** The process ends as by a signal that cannot be handled. */
export const KILL_PROCESS: Piece = [instruction(OPCODE.return, VERDICT.killProcess)];
/** The call is not made and fails with this error. */
export const fail = (errno: number): Piece => [instruction(OPCODE.return, VERDICT.errno | errno)];

/** Makes a field what the conditions that follow look at. */
export const load = (offset: number): Piece => [instruction(OPCODE.load, offset)];
/** The lower half of an argument: all of it that the kernel itself reads of an `int` or of `clone`'s flags. */
export const loadArgument = (index: number): Piece => load(DATA.args + 8 * index);
/** Keeps these bits of what was loaded. */
export const mask = (bits: number): Piece => [instruction(OPCODE.and, bits)];

/** `then` only for this value. */
export const ifEqual = (value: number, then: Piece): Piece => [
  instruction(OPCODE.jumpIfEqual, value, 0, jump(then.length)),
  ...then,
];
/** `then` only for unsigned numbers above this one. */
export const ifGreater = (value: number, then: Piece): Piece => [
  instruction(OPCODE.jumpIfGreater, value, 0, jump(then.length)),
  ...then,
];
/** `then` only when any of these bits is set. */
export const ifAnyBit = (bits: number, then: Piece): Piece => [
  instruction(OPCODE.jumpIfSet, bits, 0, jump(then.length)),
  ...then,
];
/** `then` only when none of these bits is set. */
export const ifNoBit = (bits: number, then: Piece): Piece => [
  instruction(OPCODE.jumpIfSet, bits, jump(then.length), 0),
  ...then,
];
/** `then` only for values that are none of these. */
export const ifNoneOf = (values: readonly number[], then: Piece): Piece => [
  ...values.map((value, i) =>
    instruction(OPCODE.jumpIfEqual, value, jump(values.length - 1 - i + then.length))
  ),
  ...then,
];

/** A jump's distance is a byte. */
function jump(distance: number): number {
  if (distance > 0xff) throw new RangeError(`Cannot jump over ${distance} instructions in a BPF program`);
  return distance;
}

/** A program as the kernel reads it: `struct sock_filter[]`, little endian as both architectures are. */
export function encodeProgram(program: Piece): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  });
  return bytes;
}
