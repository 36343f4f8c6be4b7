import assert from "node:assert/strict";
import type { GitProvider } from "../model.ts";
import { type CommitStatus, commitStatusRequest } from "./commit_status.ts";

const STATUS: CommitStatus = {
  sha: "a".repeat(40),
  state: "failure",
  description: "d".repeat(200),
  targetUrl: "https://shop-abc.example.com",
  context: "isola/shop",
};

/** Provider, repository, API → URL of the request and its header with the token. */
const CASES: [GitProvider, string, string | null, string, [string, string]][] = [
  [
    "github",
    "https://github.com/ada/shop.git",
    null,
    `https://api.github.com/repos/ada/shop/statuses/${STATUS.sha}`,
    ["authorization", "Bearer token"],
  ],
  [
    "github",
    "https://github.example.com/ada/shop",
    null,
    `https://github.example.com/api/v3/repos/ada/shop/statuses/${STATUS.sha}`,
    ["authorization", "Bearer token"],
  ],
  [
    "gitlab",
    "https://gitlab.com/group/sub/shop.git",
    null,
    `https://gitlab.com/api/v4/projects/group%2Fsub%2Fshop/statuses/${STATUS.sha}`,
    ["private-token", "token"],
  ],
  [
    "gitea",
    "http://git.internal:3000/ada/shop",
    null,
    `http://git.internal:3000/api/v1/repos/ada/shop/statuses/${STATUS.sha}`,
    ["authorization", "token token"],
  ],
  [
    "forgejo",
    "https://codeberg.org/ada/shop",
    "https://api.codeberg.example/v1",
    `https://api.codeberg.example/v1/repos/ada/shop/statuses/${STATUS.sha}`,
    ["authorization", "token token"],
  ],
];

for (const [provider, url, apiUrl, expected, [header, value]] of CASES) {
  Deno.test(`a commit status of ${url} is set at ${new URL(expected).origin}`, () => {
    const request = commitStatusRequest({ url, provider, apiUrl }, "token", STATUS)!;
    assert.equal(request.url, expected);
    assert.equal(request.headers[header], value);
    const body = JSON.parse(request.body);
    assert.equal(body.state, provider === "gitlab" ? "failed" : "failure");
    assert.equal(body.target_url, STATUS.targetUrl);
    assert.equal(body.description.length, 140);
    assert.equal(provider === "gitlab" ? body.name : body.context, "isola/shop");
  });
}

Deno.test("a server that is only git has no commit statuses", () => {
  const link = { url: "https://git.example.com/x", provider: "generic", apiUrl: null } as const;
  assert.equal(commitStatusRequest(link, "token", STATUS), null);
});
