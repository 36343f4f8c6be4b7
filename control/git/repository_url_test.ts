import assert from "node:assert/strict";
import type { GitProvider } from "../model.ts";
import { DEFAULT_SETTINGS } from "./deploy_commit.ts";
import { commitPage, parseRepositoryUrl, providerOf } from "./repository_url.ts";

const SHA = "a".repeat(40);

/** As given, as kept, whose it is, where its commits are shown. */
const CASES: [string, string, GitProvider, string | null][] = [
  [
    "HTTPS://GitHub.com/ada/shop.git",
    "https://github.com/ada/shop.git",
    "github",
    `https://github.com/ada/shop/commit/${SHA}`,
  ],
  [
    "https://gitlab.com:443/group/sub/shop/",
    "https://gitlab.com/group/sub/shop",
    "gitlab",
    `https://gitlab.com/group/sub/shop/-/commit/${SHA}`,
  ],
  [
    "https://codeberg.org/ada/shop",
    "https://codeberg.org/ada/shop",
    "forgejo",
    `https://codeberg.org/ada/shop/commit/${SHA}`,
  ],
  [
    "http://gitea.internal:3000/ada/shop",
    "http://gitea.internal:3000/ada/shop",
    "gitea",
    `http://gitea.internal:3000/ada/shop/commit/${SHA}`,
  ],
  ["https://[2001:db8::1]/shop.git", "https://[2001:db8::1]/shop.git", "generic", null],
  ["https://notgithub.com/ada/shop", "https://notgithub.com/ada/shop", "generic", null],
];

for (const [given, kept, provider, page] of CASES) {
  Deno.test(`"${given}" is followed as ${kept}, of ${provider}`, () => {
    const url = parseRepositoryUrl(given);
    assert.equal(url, kept);
    assert.equal(providerOf(url), provider);
    assert.equal(commitPage({ ...DEFAULT_SETTINGS, url, provider }, SHA), page);
  });
}
