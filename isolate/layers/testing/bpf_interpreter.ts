import { DATA, OPCODE } from "../bpf.ts";

/** A call as a seccomp program sees it (`struct seccomp_data`). */
export interface TrialCall {
  /** As of linux/audit.h. */
  architecture: number;
  number: number;
  args?: number[];
}

/** Runs an encoded program as the kernel does, and returns its verdict. */
export function interpret(
  program: Uint8Array<ArrayBuffer>,
  { architecture, number, args = [] }: TrialCall,
): number {
  const data = new DataView(new ArrayBuffer(DATA.args + 6 * 8));
  data.setUint32(DATA.number, number, true);
  data.setUint32(DATA.architecture, architecture, true);
  args.forEach((arg, i) => data.setBigInt64(DATA.args + 8 * i, BigInt(arg), true));
  const view = new DataView(program.buffer);
  let accumulator = 0;
  for (let at = 0;;) {
    const code = view.getUint16(at, true);
    const [jumpIfTrue, jumpIfFalse] = [view.getUint8(at + 2), view.getUint8(at + 3)];
    const k = view.getUint32(at + 4, true);
    const jumpIf = (condition: boolean) => at += 8 * (condition ? jumpIfTrue : jumpIfFalse);
    at += 8;
    if (code === OPCODE.return) return k;
    else if (code === OPCODE.load) accumulator = data.getUint32(k, true);
    else if (code === OPCODE.and) accumulator = (accumulator & k) >>> 0;
    else if (code === OPCODE.jumpIfEqual) jumpIf(accumulator === k);
    else if (code === OPCODE.jumpIfGreater) jumpIf(accumulator > k);
    else if (code === OPCODE.jumpIfSet) jumpIf((accumulator & k) !== 0);
    else throw new Error(`Cannot interpret opcode 0x${code.toString(16)}`);
  }
}
