/** OID of the extension. */
export const NAME_CONSTRAINTS = "2.5.29.30";

const SEQUENCE = 0x30;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
/** Address and mask: every address of IPv4, of IPv6. */
const ALL_ADDRESSES = [new Uint8Array(8), new Uint8Array(32)];

/**
 * The content of the extension with which a CA may only sign for some names and what is below them, and for no address
 * (RFC 5280 §4.2.1.10).
 */
export function nameConstraints(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const permitted = names.map((name) => der(SEQUENCE, der(DNS_NAME, new TextEncoder().encode(name))));
  const excluded = ALL_ADDRESSES.map((range) => der(SEQUENCE, der(IP_ADDRESS, range)));
  return der(SEQUENCE, der(PERMITTED, ...permitted), der(EXCLUDED, ...excluded));
}

/** A value of up to 64 KiB in DER (X.690 §8.1). */
function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = contents.reduce((sum, { length }) => sum + length, 0);
  const header = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  return Uint8Array.from([...header, ...contents.flatMap((content) => [...content])]);
}
