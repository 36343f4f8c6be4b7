import assert from "node:assert/strict";
import type { CallFailure } from "./call_failure.ts";
import { layerOf, MAX_CONFIG_BYTES, type ParsedConfig, parseIsolateConfig } from "./isolate_config.ts";

const ENTRYPOINT = "file:///src/main.js";
const PLAIN: ParsedConfig = { entrypoint: ENTRYPOINT, env: {}, layer: null, net: undefined };

const READ: [name: string, config: Record<string, unknown>, parsed: Partial<ParsedConfig>][] = [
  ["nothing but an entry point", {}, {}],
  ["unknown members", { kind: "x", permissions: { read: true }, name: null }, {}],
  [
    "null for what is optional",
    { envs: null, layers: null, inline_layer: null, permissions: { net: null } },
    {},
  ],
  ["an https entry point", { entrypoint: "https://example.com/a b.ts?v=1" }, {
    entrypoint: "https://example.com/a%20b.ts?v=1",
  }],
  ["a file entry point with a host", { entrypoint: "file://slug/v1/main.ts" }, {
    entrypoint: "file://slug/v1/main.ts",
  }],
  ["variables", { envs: { A: "1", b_2: "ü\n" } }, { env: { A: "1", b_2: "ü\n" } }],
  ["variables of the platform", { envs: { A: "1", DENO_REGION: "x", DENO_DEPLOYMENT_ID: 5 } }, {
    env: { A: "1" },
  }],
  ["all of the network", { permissions: { net: true } }, { net: null }],
  ["nothing of the network", { permissions: { net: false } }, { net: [] }],
  ["some hosts", { permissions: { net: ["API.ipify.org", "*.example.com:443", "api.ipify.org"] } }, {
    net: ["api.ipify.org", "*.example.com:443"],
  }],
  ["a list with all hosts", { permissions: { net: ["a.example", "*"] } }, { net: null }],
  ["a bundle", { layers: [{ kind: "bundle", id: "x", specifier: ENTRYPOINT }], inline_layer: "x" }, {
    layer: { kind: "bundle", specifier: ENTRYPOINT },
  }],
  ["the only one there is", { layers: [{ kind: "eszip", id: "x" }] }, { layer: { kind: "eszip" } }],
  ["an eszip", { layers: [{ kind: "eszip", id: "d@1.5" }], inline_layer: "d@1.5" }, {
    layer: { kind: "eszip" },
  }],
  ["no layers", { layers: [] }, {}],
];

for (const [name, config, parsed] of READ) {
  Deno.test(`A configuration is read that has ${name}`, () => {
    const header = utf8(JSON.stringify({ entrypoint: ENTRYPOINT, ...config }));
    assert.deepEqual(parseIsolateConfig(header), { ...PLAIN, ...parsed });
  });
}

const BUNDLE = { kind: "bundle", id: "a", specifier: ENTRYPOINT };
const REFUSED: [name: string, config: unknown, message: RegExp][] = [
  ["no object", [], /expected object/],
  ["no entry point", {}, /"entrypoint"/],
  ["a relative entry point", { entrypoint: "main.js" }, /"entrypoint": must be an absolute file:/],
  ["an entry point elsewhere", { entrypoint: "npm:express" }, /"entrypoint"/],
  ["an entry point with code", { entrypoint: "data:text/javascript,1" }, /"entrypoint"/],
  ["an entry point with credentials", { entrypoint: "https://a:b@example.com/" }, /without credentials/],
  ["a reserved variable", { envs: { LD_PRELOAD: "x" } }, /"envs\.LD_PRELOAD": its name is reserved/],
  ["a variable that is no text", { envs: { A: 1 } }, /"envs\.A": its value must be a string/],
  ["a prototype for a variable", '{"entrypoint":"file:///a","envs":{"__proto__":"x"}}', /reserved/],
  ["variables as a list", { envs: ["A"] }, /"envs": must be an object/],
  [
    "too many variables",
    { envs: Object.fromEntries(range(1001).map((i) => [`A${i}`, ""])) },
    /1000 are allowed/,
  ],
  [
    "a wrong host",
    { permissions: { net: ["http://a.example"] } },
    /"permissions\.net\.0": must be "host"/,
  ],
  ["a text for hosts", { permissions: { net: "a.example" } }, /"permissions\.net": must be true, false or/],
  ["too many hosts", { permissions: { net: range(1001).map((i) => `a${i}`) } }, /1000 hosts/],
  ["no inline layer of two", { layers: [BUNDLE, BUNDLE] }, /"inline_layer": must be the id/],
  ["an unknown inline layer", { layers: [BUNDLE], inline_layer: "b" }, /"inline_layer": must be the id/],
  ["two layers", { layers: [BUNDLE, { kind: "eszip", id: "b" }], inline_layer: "b" }, /cannot be fetched/],
  ["very many layers", { layers: Array(101).fill({}) }, /"layers": must be at most 100$/],
  ["a layer of another kind", { layers: [{ kind: "wasm", id: "a" }], inline_layer: "a" }, /"layers\.0/],
  ["a bundle with another name", {
    layers: [{ ...BUNDLE, specifier: "file:///other.js" }],
    inline_layer: "a",
  }, /must be the entrypoint/],
];

for (const [name, config, message] of REFUSED) {
  Deno.test(`A configuration is refused that has ${name}`, () => {
    const complete = Array.isArray(config) || name === "no entry point"
      ? config
      : { entrypoint: ENTRYPOINT, ...config as object };
    const header = typeof config === "string" ? config : JSON.stringify(complete);
    assert.throws(
      () => parseIsolateConfig(header),
      (error: CallFailure) => error.code === "invalid" && message.test(error.message),
    );
  });
}

Deno.test("A configuration that is missing, garbage or too long is refused without being quoted", () => {
  const headers = [null, "", '{"envs": {"A": "confidential"}', "x".repeat(MAX_CONFIG_BYTES + 1)];
  for (const header of headers) {
    assert.throws(
      () => parseIsolateConfig(header),
      (error: CallFailure) =>
        error.code === "invalid" && /x-deno-config/.test(error.message) &&
        !Deno.inspect(error).includes("confidential"),
    );
  }
});

Deno.test("A configuration that is not UTF-8 is Latin-1", () => {
  const header = `{"entrypoint":"${ENTRYPOINT}","envs":{"A":"caf\xe9"}}`;
  assert.equal(parseIsolateConfig(header).env.A, "café");
});

Deno.test("A body is an eszip by how it begins, else a bundle", () => {
  const encoder = new TextEncoder();
  assert.deepEqual(layerOf(encoder.encode("ESZIP_V2…"), ENTRYPOINT), { kind: "eszip" });
  for (const text of ["export default {}", "ESZ", ""]) {
    assert.deepEqual(layerOf(encoder.encode(text), ENTRYPOINT), { kind: "bundle", specifier: ENTRYPOINT });
  }
});

/** Its bytes in UTF-8, as `fetch` shows them. */
function utf8(text: string): string {
  return new TextDecoder("latin1").decode(new TextEncoder().encode(text));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
