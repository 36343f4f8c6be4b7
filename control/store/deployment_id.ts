/** The characters of deployment ids. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 12;
/** Random bytes from here up are drawn again: they would make the first characters likelier. */
const LIMIT = 256 - (256 % ALPHABET.length);

/** A random deployment id: 12 characters of `a-z0-9` (62 bits), such as `k3v9x0q1m2ab`. */
export function newDeploymentId(): string {
  let id = "";
  while (id.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      if (byte < LIMIT && id.length < LENGTH) id += ALPHABET[byte % ALPHABET.length];
    }
  }
  return id;
}
