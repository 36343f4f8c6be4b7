import { createHash } from "node:crypto";

/** What is left of a hostname's first label (63 octets, RFC 1035 section 2.3.4) beside the longest project name and "--". */
const MAX_LENGTH = 63 - 26 - 2;
const MIN_HASH_LENGTH = 8;

/**
 * What a branch is called in its hostname, `{project}--{label}.{base}`: the branch in lower case, with one "-" for all that
 * is not a letter or digit of ASCII (`feature/Log_in` is `feature-log-in`). One that is too long, has nothing of the kind or
 * is called as another branch already ends in the beginning of its SHA-256 instead.
 *
 * @param isTaken Whether another branch of the project has that label.
 */
export function branchLabel(branch: string, isTaken: (label: string) => boolean): string {
  const slug = branch.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  if (slug !== "" && slug.length <= MAX_LENGTH && !isTaken(slug)) return slug;
  const hash = createHash("sha256").update(branch).digest("hex");
  for (let length = MIN_HASH_LENGTH;; length++) {
    const start = slug.slice(0, MAX_LENGTH - 1 - length).replace(/-$/, "");
    const label = [start, hash.slice(0, length)].filter((part) => part !== "").join("-");
    if (!isTaken(label)) return label;
  }
}
