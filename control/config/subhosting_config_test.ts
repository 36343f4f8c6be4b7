import assert from "node:assert/strict";
import { ConfigError, loadConfig } from "./config.ts";
import { weakSecrets } from "./subhosting_config.ts";

const SECRET = "a secret that has thirty-two bytes";

function load(
  subhosting: unknown,
  files: Record<string, string> = {},
  env: Record<string, string> = {},
) {
  return loadConfig({
    flags: { config: "/etc/isola/isola.yaml" },
    env,
    cwd: "/",
    memoryBytes: 2 ** 30,
    readFile(path) {
      if (path === "/etc/isola/isola.yaml") return JSON.stringify({ subhosting });
      const content = files[path];
      if (content === undefined) throw new Deno.errors.NotFound("No such file");
      return content;
    },
  }).subhosting;
}

function problemsOf(subhosting: unknown, files?: Record<string, string>): string {
  try {
    load(subhosting, files);
  } catch (error) {
    assert(error instanceof ConfigError);
    return error.message;
  }
  return "";
}

const given = (
  changes: object,
) => [{ id: "acme", secret: SECRET, rpcRoots: ["https://o.example/"], ...changes }];

Deno.test("a subhoster needs an id, a secret and a place where its origin answers", () => {
  assert.deepEqual(
    load(given({ rpcRoots: ["HTTPS://Origin.Example:443/a/../v0/", "http://10.0.0.7:8080"] })),
    [{
      id: "acme",
      secret: SECRET,
      nextSecret: null,
      rpcRoots: ["https://origin.example/v0/", "http://10.0.0.7:8080/"],
      limits: {},
      net: null,
      region: null,
    }],
  );
});

Deno.test("a subhoster may have limits, permissions and a region of its own", () => {
  const [subhoster] = load(given({
    nextSecret: "next",
    limits: { memoryMb: 128 },
    permissions: { net: ["API.example.com:443", "api.example.com:443"] },
    region: "eu-1",
  }));
  const { nextSecret, limits, net, region } = subhoster!;
  assert.deepEqual({ nextSecret, limits, net, region }, {
    nextSecret: "next",
    limits: { memoryMb: 128 },
    net: ["api.example.com:443"],
    region: "eu-1",
  });
  assert.equal(load(given({ permissions: { net: ["*"] } }))[0]!.net, null);
  assert.deepEqual(load(given({ permissions: { net: [] } }))[0]!.net, []);
});

Deno.test("secrets are read from files beside the configuration, without the newline that an editor adds", () => {
  const files = { "/etc/isola/now": `${SECRET}\n`, "/run/next": " next \r\n" };
  const [subhoster] = load(
    given({ secret: undefined, secretFile: "now", nextSecretFile: "/run/next" }),
    files,
  );
  assert.deepEqual([subhoster!.secret, subhoster!.nextSecret], [SECRET, " next "]);
  assert.match(
    problemsOf(given({ nextSecretFile: "gone" }), files),
    /^Cannot read subhosting\.0\.nextSecretFile "\/etc\/isola\/gone": No such file$/,
  );
  const empty = { "/etc/isola/now": "\n" };
  assert.match(problemsOf(given({ secret: undefined, secretFile: "now" }), empty), /now": it is empty$/);
});

Deno.test("what is wrong with a subhoster is told with its key, and no secret is shown", () => {
  const rows: [changes: unknown, problem: RegExp][] = [
    ["se cret", /^Cannot use subhosting of .*must be a list of subhosters/],
    [["se cret"], /^Cannot use subhosting\.0 of .*object/],
    [given({ id: "a/b" }), /subhosting\.0\.id "a\/b" of .*: must be 1 to 64 of/],
    [given({ id: ".." }), /subhosting\.0\.id ".." of .*: must be 1 to 64 of/],
    [[...given({}), ...given({})], /subhosting\.1\.id "acme" of .*: must be the id of one subhoster only$/],
    [given({ secret: "" }), /subhosting\.0\.secret of .*not empty/],
    [given({ secret: ["se cret"] }), /subhosting\.0\.secret of /],
    [given({ secret: undefined }), /subhosting\.0 of .*must have either secret or secretFile$/],
    [given({ secretFile: "a" }), /subhosting\.0 of .*must have either secret or secretFile$/],
    [given({ nextSecret: "se cret", nextSecretFile: "a" }), /must not have both nextSecret and/],
    [given({ secrets: "se cret" }), /Unknown key "subhosting\.0\.secrets" .*did you mean "secret"\?/],
    [given({ rpcRoots: undefined }), /subhosting\.0\.rpcRoots of .*must be a list of URLs$/],
    [given({ rpcRoots: [7] }), /subhosting\.0\.rpcRoots\.0 7 of .*must be a URL$/],
    [given({ rpcRoots: [] }), /subhosting\.0\.rpcRoots \[\] of .*at least one URL$/],
    [
      given({ rpcRoots: ["https://o.example/v0"] }),
      /rpcRoots\.0 "https:.*must end in "\/", such as "https:.*v0\/"/,
    ],
    [given({ rpcRoots: ["ftp://o.example/"] }), /must be a URL that begins with/],
    [given({ rpcRoots: ["/v0/"] }), /must be a URL that begins with/],
    [given({ rpcRoots: ["https://o.example/?"] }), /must have no query and no fragment/],
    [
      given({ rpcRoots: ["https://a:se cret@o.example/"] }),
      /rpcRoots\.0 of .*must have no user and no password/,
    ],
    [given({ limits: { memoryMb: 1 } }), /limits\.memoryMb 1 of .*whole number from 32/],
    [given({ permissions: { net: ["http://a"] } }), /net\.0 "http:\/\/a" of .*must be "host"/],
    [
      given({ permissions: { net: false } }),
      /permissions\.net of .*: must be a list of hosts, \[\] for none$/,
    ],
    [given({ region: "Eu" }), /region "Eu" of .*must be 1 to 63 of/],
  ];
  for (const [subhosting, problem] of rows) {
    const problems = problemsOf(subhosting);
    assert.match(problems, problem);
    assert.doesNotMatch(problems, /se cret/);
  }
});

Deno.test("the code of strangers shares no process", () => {
  const env = { ISOLA_ISOLATION: "shared" };
  assert.deepEqual(load([], {}, env), []);
  assert.throws(() => load(given({}), {}, env), /Cannot use subhosting with isolation "shared": /);
});

Deno.test("a secret that can be guessed from a token is told, by the name of who has it", () => {
  const weak = weakSecrets(load([
    ...given({ nextSecret: "short" }),
    ...given({ id: "b", secret: "s" }),
  ]));
  assert.equal(weak.length, 2);
  assert.match(weak[0]!, /^nextSecret of subhoster "acme" has fewer than 32 bytes: /);
  assert.match(weak[1]!, /^secret of subhoster "b" /);
});
