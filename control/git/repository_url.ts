import type { GitProvider, GitSettings } from "../model.ts";

const MAX_URL_LENGTH = 2000;
/** What `ssh` takes for a URL: `user@host:path`. */
const SCP_LIKE = /^[^/\s]+@[^/\s]+:/;

/** How a forge is recognized by its hostname. */
const HOSTS: readonly [RegExp, GitProvider][] = [
  [/^github\.com$|^github\./, "github"],
  [/^gitlab\.com$|^gitlab\./, "gitlab"],
  [/^codeberg\.org$|^forgejo\./, "forgejo"],
  [/^gitea\.com$|^gitea\./, "gitea"],
];

/**
 * Reads the URL of a repository, in the one spelling that is kept.
 *
 * @throws {TypeError} with words for people
 */
export function parseRepositoryUrl(text: string): string {
  const refuse = (problem: string) => new TypeError(`Cannot follow "${withoutUserInfo(text)}": ${problem}`);
  if (text.length > MAX_URL_LENGTH) {
    throw new TypeError(`Cannot follow a URL of more than ${MAX_URL_LENGTH} characters`);
  }
  if (text.startsWith("ssh:") || SCP_LIKE.test(text)) {
    throw refuse(
      "repositories are read over https, with a token where they are private; ssh is not supported",
    );
  }
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  if (url === null) throw refuse("must be an https or http URL, such as https://github.com/OWNER/REPOSITORY");
  if (url.username !== "" || url.password !== "") {
    throw refuse('a credential belongs in "credential", not in the URL');
  }
  if (url.search !== "" || url.hash !== "") throw refuse('must have no "?" and no "#"');
  const path = url.pathname.replace(/\/+$/, "");
  if (path === "") throw refuse("must name a repository after the host");
  return url.origin + path;
}

/** Whose repository it is, as far as its hostname says. */
export function providerOf(url: string): GitProvider {
  const { hostname } = new URL(url);
  return HOSTS.find(([pattern]) => pattern.test(hostname))?.[1] ?? "generic";
}

/** Where people look at a commit; `null` = not known. */
export function commitPage({ url, provider }: GitSettings, sha: string): string | null {
  if (url === null || provider === "generic") return null;
  return `${url.replace(/\.git$/, "")}${provider === "gitlab" ? "/-" : ""}/commit/${sha}`;
}

/** "owner/repository", with all groups before it. */
export function repositoryPath(url: string): string {
  return new URL(url).pathname.slice(1).replace(/\.git$/, "");
}

/** Whoever pastes a URL with a token in it should not find that in a log. */
function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^/@]*@/, "//…@").slice(0, 200);
}
