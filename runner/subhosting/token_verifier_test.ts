import assert from "node:assert/strict";
import { SeededRandom } from "../../tests/seeded_random.ts";
import type { TokenProblem } from "../contract.ts";
import { ACME, relayToken, type RelayTokenOptions, ZENITH } from "./testing/relay_token.ts";
import { TokenError } from "./token_error.ts";
import { TokenVerifier } from "./token_verifier.ts";

const NOW_MS = Date.parse("2026-11-22T12:00:00.250Z");
const NOW_S = Math.floor(NOW_MS / 1000);
const SUBHOSTERS = [ACME, ZENITH];

function made(options: RelayTokenOptions = {}): string {
  return relayToken({ nowMs: NOW_MS, ...options });
}

/** Why a token is refused, and in whose name. */
async function refusal(
  token: string,
  { subhosters = SUBHOSTERS, nowMs = NOW_MS } = {},
): Promise<TokenError> {
  const verifier = await TokenVerifier.load(subhosters);
  const error = await verifier.verify(token, nowMs).then(() => null, (error: unknown) => error);
  assert.ok(error instanceof TokenError, `${token} is refused`);
  return error;
}

Deno.test("a good token says whose deployment it is, and where its code comes from", async () => {
  const verifier = await TokenVerifier.load([{ ...ACME, maxConcurrency: 7, requestTimeoutMs: 8 }, ZENITH]);
  assert.deepEqual(await verifier.verify(made(), NOW_MS), {
    subhosted: { subhosterId: "acme", deploymentId: "d1", rpcRoot: "https://origin.example/v0/" },
    route: { deploymentId: "acme/d1", maxConcurrency: 7, requestTimeoutMs: 8 },
  });
  const rows: RelayTokenOptions[] = [
    { claims: { rpc_root: "https://ORIGIN.example:443/v0/below/" } },
    { claims: { deployment_id: `!"#'/.%~${"x".repeat(248)}` } },
    { claims: { iat: NOW_S + 5, exp: NOW_S + 5 + 24 * 60 * 60 } },
    { claims: { iat: NOW_S - 100.5, exp: NOW_S + 1.5 } },
    { claims: { aud: "somebody else", iss: 7, nbf: NOW_S, extra: { deep: [] } } },
    { header: { typ: undefined, jku: "https://evil.example/", jwk: {}, x5u: "https://evil.example/" } },
    { claims: { padding: "x".repeat(5000) } },
  ];
  for (const options of rows) await verifier.verify(made(options), NOW_MS);
});

Deno.test("every other token is refused for its reason, in the name of whoever it says to be", async () => {
  const day = 24 * 60 * 60;
  const unsigned = (token: string) => token.slice(0, token.lastIndexOf(".") + 1);
  const rows: [problem: TokenProblem, subhosterId: string | null, token: string][] = [
    ["malformed", null, ""],
    ["malformed", null, "token"],
    ["malformed", null, "a.b"],
    ["malformed", null, "a.b.c"],
    ["malformed", null, `${made()}.`],
    ["malformed", null, `${made()}, ${made()}`],
    ["malformed", null, ` ${made()}`],
    ["malformed", null, `${made()}=`],
    ["malformed", null, made().replace(".", "..")],
    ["malformed", null, made({ claims: { padding: "x".repeat(7000) } })],
    ["malformed", null, made({ header: { crit: ["b64"], b64: false } })],
    ["malformed", null, made({ header: { crit: [] } })],
    ["algorithm", "acme", unsigned(made({ header: { alg: "none" } }))],
    ["algorithm", "acme", made({ header: { alg: "none" } })],
    ["algorithm", "acme", made({ header: { alg: "None" } })],
    ["algorithm", "acme", made({ header: { alg: undefined } })],
    ["algorithm", "acme", made({ header: { alg: "hs256" } })],
    ["algorithm", "acme", made({ header: { alg: ["HS256"] } })],
    ["algorithm", "acme", made({ header: { alg: "HS384" }, hash: "sha384" })],
    ["algorithm", "acme", made({ header: { alg: "HS512" }, hash: "sha512" })],
    ["algorithm", "acme", made({ header: { alg: "RS256" } })],
    ["algorithm", null, made({ header: { alg: "ES256", kid: "nobody" } })],
    ["unknown_subhoster", null, made({ header: { kid: "nobody" } })],
    ["unknown_subhoster", null, made({ header: { kid: "ACME" } })],
    ["unknown_subhoster", null, made({ header: { kid: undefined } })],
    ["unknown_subhoster", null, made({ header: { kid: "__proto__" } })],
    ["unknown_subhoster", null, made({ header: { kid: 7 } })],
    ["unknown_subhoster", null, made({ header: { kid: ["acme"] } })],
    ["unknown_subhoster", null, made({ header: { kid: { toString: 1 } } })],
    ["signature", "acme", made({ secret: "acme's secre" })],
    ["signature", "acme", made({ secret: "" })],
    ["signature", "acme", made({ secret: ZENITH.secrets[0] })],
    ["signature", "zenith", made({ header: { kid: "zenith" } })],
    ["signature", "acme", unsigned(made())],
    ["signature", "acme", made({ hash: "sha512" })],
    ["signature", "acme", made({ hash: "sha1" })],
    ["malformed", null, made({ payload: "" })],
    ["claims", "acme", made({ payload: "null" })],
    ["claims", "acme", made({ payload: '"text"' })],
    ["claims", "acme", made({ payload: "{" })],
    ["claims", "acme", made({ payload: "[]" })],
    ["claims", "acme", made({ claims: { deployment_id: undefined } })],
    ["claims", "acme", made({ claims: { deployment_id: "" } })],
    ["claims", "acme", made({ claims: { deployment_id: 7 } })],
    ["claims", "acme", made({ claims: { deployment_id: "a b" } })],
    ["claims", "acme", made({ claims: { deployment_id: "a\n" } })],
    ["claims", "acme", made({ claims: { deployment_id: "é" } })],
    ["claims", "acme", made({ claims: { deployment_id: "x".repeat(257) } })],
    // As our own RPCs have it: what an origin gets is no use here.
    ["claims", "acme", made({ claims: { rpc_root: undefined } })],
    ["claims", "acme", made({ claims: { rpc_root: ["https://origin.example/v0/"] } })],
    ["claims", "acme", made({ claims: { iat: undefined } })],
    ["claims", "acme", made({ claims: { iat: String(NOW_S) } })],
    ["claims", "acme", made({ claims: { exp: undefined } })],
    ["claims", "acme", made({ claims: { exp: null } })],
    ["claims", "acme", made({ claims: { nbf: "soon" } })],
    ["claims", "acme", made({ claims: { exp: NOW_S + day + 1 } })],
    ["claims", "acme", made({ payload: `{"deployment_id":"d","rpc_root":"","iat":0,"exp":1e999}` })],
    ["expired", "acme", made({ claims: { exp: NOW_S } })],
    ["expired", "acme", made({ claims: { iat: NOW_S - 901, exp: NOW_S - 1 } })],
    ["not_yet_valid", "acme", made({ claims: { iat: NOW_S + 6 } })],
    ["not_yet_valid", "acme", made({ claims: { iat: NOW_MS, exp: NOW_MS + 900 } })],
    ["not_yet_valid", "acme", made({ claims: { nbf: NOW_S + 6 } })],
    ["rpc_root", "acme", made({ claims: { rpc_root: "https://evil.example/" } })],
    ["rpc_root", "acme", made({ claims: { rpc_root: ZENITH.rpcRoots[0] } })],
    ["rpc_root", "acme", made({ claims: { rpc_root: "https://origin.example/v0/../" } })],
    ["rpc_root", "acme", made({ claims: { rpc_root: "" } })],
  ];
  for (const [problem, subhosterId, token] of rows) {
    const error = await refusal(token);
    assert.deepEqual(
      [error.problem, error.subhosterId],
      [problem, subhosterId],
      `${token}: ${error.message}`,
    );
    assert.match(error.message, /^[ -~]+$/);
    assert.ok(!/evil|zenith|"|<|>/.test(error.message), error.message);
  }
});

Deno.test("what is wrong is told only of a token that is signed, and precisely", async () => {
  assert.equal((await refusal(made({ secret: "wrong" }))).isSigned, false);
  assert.equal((await refusal(made({ header: { kid: "nobody" } }))).isSigned, false);
  const rows: [claims: Record<string, unknown>, reason: string][] = [
    [{ exp: NOW_S - 35 }, "it expired 36 s ago"],
    [{ iat: NOW_S + 60 }, "it is valid only in 60 s, by the clock of this server"],
    [{ exp: NOW_S + 900_000 }, "its exp is more than 86400 s after its iat"],
    [{ rpc_root: "https://x/" }, "its rpc_root is none of those configured here, nor below one"],
  ];
  for (const [claims, reason] of rows) {
    const { isSigned, message } = await refusal(made({ claims }));
    assert.deepEqual([isSigned, message], [true, `Cannot accept a token: ${reason}`]);
  }
});

Deno.test("the time that a refusal takes does not tell who is there, nor who has two secrets", async () => {
  const verifier = await TokenVerifier.load(SUBHOSTERS);
  const tokens = ["nobody", "acme", "zenith"].map((kid) => made({ header: { kid }, secret: "wrong" }));
  const timesMs = tokens.map(() => [] as number[]);
  for (let round = 0; round < 200; round++) {
    for (const [i, token] of tokens.entries()) {
      const startedAt = performance.now();
      await assert.rejects(verifier.verify(token, NOW_MS), TokenError);
      timesMs[i]!.push(performance.now() - startedAt);
    }
  }
  const medians = timesMs.map((times) => times.sort((one, other) => one - other)[100]!);
  assert.ok(Math.min(...medians) > Math.max(...medians) * 0.65, medians.join());
});

Deno.test("while secrets are changed tokens of both are good, and then those of the old one are not", async () => {
  const [old, next] = ZENITH.secrets.map((secret) =>
    made({ secret, header: { kid: "zenith" }, claims: { rpc_root: ZENITH.rpcRoots[0] } })
  );
  const both = await TokenVerifier.load(SUBHOSTERS);
  for (const token of [old!, next!]) {
    assert.equal((await both.verify(token, NOW_MS)).route.deploymentId, "zenith/d1");
  }
  const after = await TokenVerifier.load([ACME, { ...ZENITH, secrets: [ZENITH.secrets[1]!] }]);
  await after.verify(next!, NOW_MS);
  await assert.rejects(after.verify(old!, NOW_MS), TokenError);
});

Deno.test("a token that comes again is good until it expires", async () => {
  const verifier = await TokenVerifier.load(SUBHOSTERS);
  const token = made();
  const first = await verifier.verify(token, NOW_MS);
  assert.equal(await verifier.verify(token, NOW_MS + 899_000), first, "it was remembered");
  for (const laterMs of [900_000, 900_001, 9_000_000]) {
    await assert.rejects(verifier.verify(token, NOW_MS + laterMs), { problem: "expired" });
  }
  assert.equal((await refusal(token, { nowMs: NOW_MS - 10_000 })).problem, "not_yet_valid");
});

Deno.test("tokens are remembered within a bound, and those that were used last are", async () => {
  const verifier = await TokenVerifier.load(SUBHOSTERS);
  const used = made();
  const rested = made({ claims: { deployment_id: "rested" } });
  const [first, other] = [await verifier.verify(used, NOW_MS), await verifier.verify(rested, NOW_MS)];
  for (let i = 0; i < 10_000; i++) {
    await verifier.verify(made({ claims: { deployment_id: `d${i}` } }), NOW_MS);
    if (i % 1000 === 0) await verifier.verify(used, NOW_MS);
  }
  assert.equal(await verifier.verify(used, NOW_MS), first);
  assert.notEqual(await verifier.verify(rested, NOW_MS), other);
});

Deno.test("a token that was changed anywhere, cut or made up is refused", async () => {
  const verifier = await TokenVerifier.load(SUBHOSTERS);
  const random = new SeededRandom(7);
  const token = made();
  await verifier.verify(token, NOW_MS);
  const forged = new Set<string>();
  for (let at = 0; at < token.length; at++) {
    forged.add(token.slice(0, at));
    forged.add(token.slice(at + 1));
    const flipped = token.charCodeAt(at) ^ 1 << random.below(8);
    forged.add(token.slice(0, at) + String.fromCharCode(flipped) + token.slice(at + 1));
  }
  // Each other way to write the last character, of which two bits mean nothing.
  for (const last of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/") {
    forged.add(token.slice(0, -1) + last);
  }
  for (let i = 0; i < 1000; i++) {
    const bytes = random.mutate(new TextEncoder().encode(token));
    forged.add(String.fromCharCode(...bytes));
    forged.add(String.fromCharCode(...Array.from({ length: random.below(200) }, () => random.below(256))));
  }
  forged.delete(token);
  for (const text of forged) await assert.rejects(verifier.verify(text, NOW_MS), TokenError, text);
});
