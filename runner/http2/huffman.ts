import { encodeLatin1 } from "../http1/octets.ts";

/** The end of a string, which never occurs in one. */
const EOS = 256;
/**
 * The code of RFC 7541 appendix B. It is canonical: codes of one length are consecutive in the order of their octets, and the
 * first of a length follows the last of the one before.
 */
const OCTETS_BY_LENGTH: readonly (readonly [bits: number, octets: string])[] = [
  [5, "012aceiost"],
  [6, " %-./3456789=A_bdfghlmnpru"],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  [8, "&*,;XZ"],
  [10, '!"()?'],
  [11, "'+|"],
  [12, "#>"],
  [13, "\x00$@[]~"],
  [14, "^}"],
  [15, "<`{"],
  [19, "\\\xc3\xd0"],
  [20, "\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"],
  [21, "\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"],
  [
    22,
    "\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
  ],
  [
    23,
    "\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf" +
    "\xc5\xe7\xef",
  ],
  [24, "\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"],
  [25, "\xc7\xcf\xea\xeb"],
  [26, "\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"],
  [27, "\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"],
  [
    28,
    "\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" +
    "\x7f\xdc\xf9",
  ],
  [30, "\x0a\x0d\x16"],
];

/** Octets are read in halves: the shortest code has 5 bits, so that a half ends at most one. */
const HALF_BITS = 4;
const HALVES = 1 << HALF_BITS;
/** Of a transition: the next state, perhaps an octet, and whether there is one. */
const OCTET_SHIFT = 8;
const EMITS = 1 << 16;
const INVALID = -1;
/** Of the ones that fill the last octet (RFC 7541 §5.2). */
const MAX_PADDING_BITS = 7;

/** A node of the code's tree that is no leaf: where a 0 and a 1 lead, to a node or, as `~symbol`, to a leaf. */
type Node = [zero: number, one: number];

const { transitions: TRANSITIONS, ends: ENDS } = buildMachine(buildTree());

function buildTree(): Node[] {
  const tree: Node[] = [[0, 0]];
  let code = 0;
  let lastBits = 0;
  for (const [bits, octets] of OCTETS_BY_LENGTH) {
    code <<= bits - lastBits;
    lastBits = bits;
    const symbols: number[] = [...encodeLatin1(octets)];
    if (bits === 30) symbols.push(EOS);
    for (const symbol of symbols) addLeaf(tree, code++, bits, symbol);
  }
  return tree;
}

function addLeaf(tree: Node[], code: number, bits: number, symbol: number): void {
  let node = tree[0]!;
  for (let bit = bits - 1; bit > 0; bit--) {
    const side = code >> bit & 1;
    if (node[side] === 0) node[side] = tree.push([0, 0]) - 1;
    node = tree[node[side]!]!;
  }
  node[code & 1] = ~symbol;
}

/** For each node and each half of an octet the transition, and whether a string may end in the node. */
function buildMachine(tree: readonly Node[]): { transitions: Int32Array; ends: Uint8Array } {
  const transitions = new Int32Array(tree.length * HALVES);
  const ends = new Uint8Array(tree.length);
  for (let at = 0, bits = 0; bits <= MAX_PADDING_BITS; bits++, at = tree[at]![1]) ends[at] = 1;
  for (let i = 0; i < transitions.length; i++) {
    let at = i >> HALF_BITS;
    let emitted = 0;
    for (let bit = HALF_BITS - 1; bit >= 0 && at !== INVALID; bit--) {
      at = tree[at]![i >> bit & 1]!;
      if (at >= 0) continue;
      emitted = EMITS | ~at << OCTET_SHIFT;
      at = ~at === EOS ? INVALID : 0;
    }
    transitions[i] = at === INVALID ? INVALID : at | emitted;
  }
  return { transitions, ends };
}

/** Of the shortest code, in bits: no string gets longer than its input by more than 8 ÷ 5. */
export const SHORTEST_CODE_BITS = 5;

/**
 * Decodes the string in `source[start, end)` (RFC 7541 §5.2) to `out`, which has room for the longest there can be.
 *
 * @returns Its length in bytes; -1 = malformed.
 */
export function decodeHuffman(source: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const octet = source[at]!;
    let next = TRANSITIONS[state << HALF_BITS | octet >> HALF_BITS]!;
    if (next === INVALID) return -1;
    if (next & EMITS) out[length++] = next >> OCTET_SHIFT;
    next = TRANSITIONS[(next & 0xff) << HALF_BITS | octet & HALVES - 1]!;
    if (next === INVALID) return -1;
    if (next & EMITS) out[length++] = next >> OCTET_SHIFT;
    state = next & 0xff;
  }
  return ENDS[state] === 1 ? length : -1;
}
