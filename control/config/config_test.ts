import assert from "node:assert/strict";
import {
  type Config,
  ConfigError,
  type ConfigSources,
  loadConfig,
  SETTINGS,
  variableName,
} from "./config.ts";

interface Given extends Partial<Omit<ConfigSources, "readFile">> {
  /** Content of /srv/isola.yaml. */
  yaml?: string;
  files?: Record<string, string>;
}

function load({ yaml, files = {}, ...sources }: Given): Config {
  const all: Record<string, string> = yaml === undefined ? files : { ...files, "/srv/isola.yaml": yaml };
  return loadConfig({
    flags: {},
    env: {},
    cwd: "/srv",
    memoryBytes: 8 * 1024 ** 3,
    readFile(path) {
      const content = all[path];
      if (content === undefined) throw new Deno.errors.NotFound(`no ${path}`);
      return content;
    },
    ...sources,
  });
}

function problemsOf(given: Given): readonly string[] {
  try {
    load(given);
  } catch (error) {
    assert(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

Deno.test("without anything said the defaults of the interface hold", () => {
  assert.deepEqual(load({}), {
    dataDir: "/srv/.isola",
    localCaDir: "/srv/.isola/ca",
    secretKeyFile: "/srv/.isola/secret.key",
    httpAddr: { hostname: "0.0.0.0", port: 8000 },
    httpsAddr: undefined,
    httpRedirect: "on",
    visitors: {},
    trustedProxies: [],
    tls: { acme: null, certificates: [] },
    dns: { servers: [], addresses: [] },
    controlAddr: { hostname: "127.0.0.1", port: 8001 },
    controlHostnames: [],
    adminToken: undefined,
    allowPrivate: [],
    logs: {},
    otlp: null,
    baseDomain: "localhost",
    region: "local",
    idleTimeoutMs: 60_000,
    maxIsolates: 96,
    queueTimeoutMs: 5000,
    warmPool: 2,
    isolation: "process",
    sandbox: "auto",
    runners: 1,
    limits: {
      memoryMb: 512,
      cpuBlockMs: 1000,
      cpuMsPerRequest: 200,
      bootTimeoutMs: 10_000,
      requestTimeoutMs: 0,
      maxConcurrency: 100,
    },
    subhosting: [],
  });
});

Deno.test("flags win over the environment, that over the file, that over what a command prefers", () => {
  const layers: Given = {
    flags: { region: "flag" },
    env: { ISOLA_REGION: "env", ISOLA_WARM_POOL: "5" },
    yaml: "region: file\nwarmPool: 6\nrunners: 7",
    defaults: { region: "preferred", warmPool: "8", runners: "8", idleTimeoutMs: "8" },
  };
  const { region, warmPool, runners, idleTimeoutMs, queueTimeoutMs } = load(layers);
  assert.deepEqual([region, warmPool, runners, idleTimeoutMs, queueTimeoutMs], ["flag", 5, 7, 8, 5000]);
});

Deno.test("the cap on isolates follows from three quarters of the memory at 64 MiB each, but is at least 4", () => {
  const GiB = 1024 ** 3;
  for (const [memoryBytes, maxIsolates] of [[GiB / 8, 4], [GiB, 12], [16 * GiB, 192]] as const) {
    assert.equal(load({ memoryBytes }).maxIsolates, maxIsolates);
  }
  assert.equal(load({ env: { ISOLA_MAX_ISOLATES: "1" } }).maxIsolates, 1);
});

Deno.test("addresses are a host or an IP literal and a port", () => {
  const good: [string, Config["httpAddr"]][] = [
    ["127.0.0.1:0", { hostname: "127.0.0.1", port: 0 }],
    ["[::1]:8000", { hostname: "::1", port: 8000 }],
    ["[::]:65535", { hostname: "::", port: 65535 }],
    ["edge-1.example.com:80", { hostname: "edge-1.example.com", port: 80 }],
  ];
  for (const [text, address] of good) {
    assert.deepEqual(load({ env: { ISOLA_HTTP_ADDR: text } }).httpAddr, address);
  }
  const bad = [
    "8000",
    ":8000",
    "::1:8000",
    "[1.2.3.4]:80",
    "256.0.0.1:80",
    "a b:80",
    "host:65536",
    "host:",
    "http://a:1",
  ];
  for (const text of bad) {
    assert.deepEqual(problemsOf({ env: { ISOLA_HTTP_ADDR: text } }), [
      `Cannot use ISOLA_HTTP_ADDR "${text}": must be HOST:PORT, such as "127.0.0.1:8000" or "[::1]:8000"`,
    ]);
  }
});

Deno.test("each bad value is refused with its name, itself, and what is allowed", () => {
  const cases: [Given, string][] = [
    [{ env: { ISOLA_WARM_POOL: "two" } }, 'ISOLA_WARM_POOL "two": must be a whole number from 0 to 1000'],
    [{ env: { ISOLA_WARM_POOL: "1e2" } }, 'ISOLA_WARM_POOL "1e2": must be a whole number from 0 to 1000'],
    [{ env: { ISOLA_RUNNERS: "0" } }, 'ISOLA_RUNNERS "0": must be a whole number from 1 to 64'],
    [{ env: { ISOLA_SANDBOX: "on" } }, 'ISOLA_SANDBOX "on": must be "auto" or "required" or "off"'],
    [{ flags: { idleTimeoutMs: "-1" } }, '--idle-timeout-ms "-1": must be a whole number from 1 to 86400000'],
    [{ yaml: "runners: 1.5" }, "runners of /srv/isola.yaml 1.5: must be a whole number from 1 to 64"],
    [
      { yaml: "region: [a]" },
      'region of /srv/isola.yaml ["a"]: must be 1 to 63 of a-z, 0-9 and, not at an end, -',
    ],
    [
      { env: { ISOLA_BASE_DOMAIN: "a..b" } },
      'ISOLA_BASE_DOMAIN "a..b": must be a hostname, such as "apps.example.com"',
    ],
    [
      { yaml: "limits: { memoryMb: lots }" },
      'limits.memoryMb "lots" of /srv/isola.yaml: must be a whole number from 32 to 1048576',
    ],
  ];
  for (const [given, problem] of cases) assert.deepEqual(problemsOf(given), [`Cannot use ${problem}`]);
});

Deno.test("an unknown name is refused, with the one that was probably meant", () => {
  const cases: [Given, RegExp][] = [
    [
      { env: { ISOLA_IDLE_TIMEOUT: "1" } },
      /^Unknown variable ISOLA_IDLE_TIMEOUT: did you mean "ISOLA_IDLE_TIMEOUT_MS"\?$/,
    ],
    [
      { env: { ISOLA_WHATEVER_ELSE: "" } },
      /^Unknown variable ISOLA_WHATEVER_ELSE: known are ISOLA_DATA_DIR, /,
    ],
    [{ yaml: "httpAdr: a" }, /^Unknown key "httpAdr" of \/srv\/isola.yaml: did you mean "httpAddr"\?$/],
    [
      { yaml: "limits: { memory: 1 }" },
      /^Unknown key "limits.memory" of \/srv\/isola.yaml: did you mean "memoryMb"\?$/,
    ],
  ];
  for (const [given, problem] of cases) {
    const problems = problemsOf(given);
    assert.equal(problems.length, 1);
    assert.match(problems[0]!, problem);
  }
});

Deno.test("all problems of all sources are listed at once, also where a stronger source wins", () => {
  const problems = problemsOf({
    flags: { runners: "1" },
    env: { ISOLA_RUNNERS: "x", ISOLA_NOPE: "1" },
    yaml: "limits: { memoryMb: 1, cpuBlockMs: 1 }\nnope: 1",
  });
  assert.equal(problems.length, 5);
});

Deno.test("what a later version does is refused rather than ignored", () => {
  const [problem] = problemsOf({ yaml: "projects: []" });
  assert.match(problem!, /^Cannot use projects of .*: not supported by this version yet$/);
});

Deno.test("isolates may share a process, but not where all layers around them are required", () => {
  assert.equal(load({}).isolation, "process");
  assert.equal(load({ env: { ISOLA_ISOLATION: "shared" } }).isolation, "shared");
  const problems = problemsOf({ yaml: "isolation: shared", env: { ISOLA_SANDBOX: "required" } });
  assert.equal(problems.length, 1);
  assert.match(
    problems[0]!,
    /^Cannot use isolation "shared" with sandbox "required": .* Use isolation "process"/,
  );
});

Deno.test("a variable that is set to nothing counts as unset", () => {
  assert.equal(
    load({ env: { ISOLA_REGION: "", ISOLA_HTTPS_ADDR: "", ISOLA_CONFIG: "", ISOLA_ADMIN_TOKEN: "" } }).region,
    "local",
  );
});

Deno.test("the variables of the command line are not the server's business", () => {
  assert.deepEqual(problemsOf({ env: { ISOLA_URL: "x", ISOLA_TOKEN: "y", HOME: "/root" } }), []);
});

Deno.test("a token that is no bearer token is refused without being shown", () => {
  const [problem] = problemsOf({ env: { ISOLA_ADMIN_TOKEN: "my secret" } });
  assert.equal(
    problem,
    "Cannot use ISOLA_ADMIN_TOKEN: must be letters, digits and - . _ ~ + /, as RFC 6750 has it",
  );
});

Deno.test("paths of the file start beside it, others in the working directory", () => {
  const files = { "/etc/isola/prod.yaml": "dataDir: data" };
  assert.equal(load({ files, flags: { config: "/etc/isola/prod.yaml" } }).dataDir, "/etc/isola/data");
  assert.equal(load({ files, env: { ISOLA_CONFIG: "../etc/isola/prod.yaml" } }).dataDir, "/etc/isola/data");
  assert.equal(load({ env: { ISOLA_DATA_DIR: "data" } }).dataDir, "/srv/data");
  assert.equal(load({ env: { ISOLA_SECRET_KEY_FILE: "keys/isola" } }).secretKeyFile, "/srv/keys/isola");
});

Deno.test("a file that is named must be there and be readable as a mapping", () => {
  assert.match(
    problemsOf({ flags: { config: "no.yaml" } })[0]!,
    /^Cannot read configuration "\/srv\/no.yaml": /,
  );
  assert.match(
    problemsOf({ yaml: "a: [" })[0]!,
    /^Cannot read configuration "\/srv\/isola.yaml": .* at line 1, column 5$/,
  );
  assert.match(problemsOf({ yaml: "region: a\nregion: b" })[0]!, /Map keys must be unique/);
  assert.match(problemsOf({ yaml: "- a" })[0]!, /must be a mapping of names to values$/);
  assert.equal(load({ yaml: "# nothing yet\n" }).region, "local");
  assert.equal(load({ yaml: "limits:\nregion: eu" }).region, "eu");
});

Deno.test("limits of the file replace single defaults", () => {
  const { limits } = load({ yaml: "limits: { memoryMb: 64 }" });
  assert.deepEqual([limits.memoryMb, limits.maxConcurrency], [64, 100]);
});

Deno.test("private targets that isolates may reach are hosts or addresses, with a port or without", () => {
  const yaml = 'egress: { allowPrivate: ["db.internal:5432", "10.0.0.7", "[fd00::1]:6379"] }';
  assert.deepEqual(load({ yaml }).allowPrivate, ["db.internal:5432", "10.0.0.7", "[fd00::1]:6379"]);
  assert.deepEqual(load({}).allowPrivate, []);
  for (const bad of ["", "a b", "http://a", "a:0", "a:65536", "fd00::1", "[1.2.3.4]:1", "10.0.0.0/8"]) {
    const [problem] = problemsOf({ yaml: `egress: { allowPrivate: ["${bad}"] }` });
    assert.match(problem ?? "", /^Cannot use egress.allowPrivate.0 .*: must be a host or an address, /, bad);
  }
});

Deno.test("the base domain is lower case, whoever wrote it", () => {
  assert.equal(load({ env: { ISOLA_BASE_DOMAIN: "Apps.Example.COM" } }).baseDomain, "apps.example.com");
});

Deno.test("every setting has a variable of its own", () => {
  const variables = Object.keys(SETTINGS).map(variableName);
  assert.equal(new Set(variables).size, variables.length);
  assert(variables.includes("ISOLA_IDLE_TIMEOUT_MS"));
});

Deno.test("how long logs are kept, and where they are sent, is configured", () => {
  const config = load({
    yaml: `
logs: { maxAgeDays: 30, maxMb: 512, maxLinesPerLog: 5000 }
telemetry: { otlp: { endpoint: "https://otel.example:4318", headers: { authorization: "Bearer x" } } }
`,
  });
  assert.deepEqual(config.logs, { maxAgeMs: 30 * 86_400_000, maxBytes: 512 * 2 ** 20, maxLinesPerLog: 5000 });
  assert.deepEqual(config.otlp, {
    endpoint: "https://otel.example:4318",
    headers: { authorization: "Bearer x" },
  });
  for (
    const [yaml, problem] of [
      ["logs: { maxMb: 1 }", /logs\.maxMb 1.*whole number from 16/],
      [
        "telemetry: { otlp: { endpoint: collector } }",
        /telemetry\.otlp\.endpoint "collector".*must be a URL/,
      ],
      ['telemetry: { otlp: { endpoint: "http://a", headers: { a: "secret\\n" } } }', /^(?!.*secret).*header/],
    ] as const
  ) assert.match(problemsOf({ yaml })[0] ?? "", problem, yaml);
});

Deno.test("HTTPS, its certificates and what visitors may take are configured", () => {
  const config = load({
    env: { ISOLA_HTTPS_ADDR: "0.0.0.0:443", ISOLA_HTTP_REDIRECT: "off" },
    yaml: `
tls:
  acme: { terms: true, email: "me@example.com", caFile: ./ca.pem, dns: { command: [./hook, --quiet] } }
  certificates: [{ cert: ./a.pem, key: /keys/a.key }]
dns: { servers: ["192.0.2.53:53", "[2001:db8::53]:53"], addresses: ["192.0.2.1"] }
visitors: { headerTimeoutMs: 5000, maxStreams: 10 }
trustedProxies: [{ addresses: ["10.0.0.0/8", "::1"], by: proxy-protocol }]`,
  });
  assert.deepEqual(config.httpsAddr, { hostname: "0.0.0.0", port: 443 });
  assert.equal(config.httpRedirect, "off");
  assert.deepEqual(config.tls, {
    acme: {
      terms: true,
      directory: "https://acme-v02.api.letsencrypt.org/directory",
      email: "me@example.com",
      caFile: "/srv/ca.pem",
      eab: null,
      dns: { command: ["./hook", "--quiet"] },
    },
    certificates: [{ cert: "/srv/a.pem", key: "/keys/a.key" }],
  });
  assert.deepEqual(config.dns.addresses, ["192.0.2.1"]);
  assert.deepEqual(config.visitors, { headerTimeoutMs: 5000, maxStreams: 10 });
  assert.deepEqual(config.trustedProxies, [{ addresses: ["10.0.0.0/8", "::1"], by: "proxy-protocol" }]);
});

Deno.test("what is wrong with a structure is told with its key, and a secret is not shown", () => {
  const rows: [yaml: string, problem: RegExp][] = [
    ["tls: { acme: { email: me } }", /tls\.acme\.email "me".*must be an e-mail address/],
    ["tls: { acme: { terms: false } }", /tls\.acme\.terms false.*you agree to the terms/],
    ["tls: { acme: { terms: true, eab: { keyId: k, hmacKey: 'se cret' } } }", /hmacKey of .*base64url/],
    ["tls: { acme: { terms: true, eab: 'k:se cret' } }", /tls\.acme\.eab of .*expected object/],
    [
      "tls: { acme: { terms: true, dns: { rfc2136: { secretKey: 'se cret' } } } }",
      /tls\.acme\.dns of .*must be \{command/,
    ],
    ["tls: { acme: { terms: true, dns: [{ webhook: { secret: 'se cret' } }] } }", /tls\.acme\.dns of /],
    [
      "tls: { acme: { terms: true, dns: { webhook: { url: 'ftp://a/se cret' } } } }",
      /webhook\.url of .*must be a URL/,
    ],
    [
      "tls: { acme: { terms: true, dns: { command: [] } } }",
      /tls\.acme\.dns\.command \[\].*must name a program/,
    ],
    ["visitors: { maxStream: 1 }", /"visitors\.maxStream".*did you mean "maxStreams"/],
    ["visitors: { headerTimeoutMs: 0 }", /headerTimeoutMs 0.*whole number from 1 to/],
    ["trustedProxies: [{ addresses: [10.0.0.0/33], by: forwarded }]", /10\.0\.0\.0\/33.*or a network/],
    ["trustedProxies: [{ addresses: [::1], by: magic }]", /by "magic".*"x-forwarded-for" or/],
    ["dns: { servers: [192.0.2.53] }", /"192\.0\.2\.53".*an address and a port/],
  ];
  for (const [yaml, problem] of rows) {
    const problems = problemsOf({ yaml }).join("\n");
    assert.match(problems, problem);
    assert.doesNotMatch(problems, /se cret/);
  }
});

Deno.test("the names of the control address are a list, or separated by commas", () => {
  const names = ["console.example.com", "isola.internal"];
  const yaml = "controlHostnames: [Console.example.com, isola.internal]";
  assert.deepEqual(load({ yaml }).controlHostnames, names);
  const env = { ISOLA_CONTROL_HOSTNAMES: "Console.example.com, isola.internal" };
  assert.deepEqual(load({ env }).controlHostnames, names);
  assert.match(problemsOf({ env: { ISOLA_CONTROL_HOSTNAMES: "a b" } })[0]!, /"a b": must be a hostname/);
});
