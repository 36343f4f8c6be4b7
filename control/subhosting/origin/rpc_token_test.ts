import assert from "node:assert/strict";
import { decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { signRpcToken } from "./rpc_token.ts";

const SECRET = "a secret of enough length, for tests";
const NOW_MS = 1_800_000_000_900;

Deno.test("The token of a call about a deployment has exactly the claims that origins expect", async () => {
  const token = await signRpcToken({
    subhosterId: "acme",
    secret: SECRET,
    deploymentId: 'd-"1"',
    nowMs: NOW_MS,
  });
  assert.deepEqual(decodeProtectedHeader(token), { alg: "HS256", typ: "JWT", kid: "acme" });
  assert.deepEqual(decodeJwt(token), { deployment_id: 'd-"1"', iat: 1_800_000_000, exp: 1_800_000_060 });
  const key = new TextEncoder().encode(SECRET);
  await jwtVerify(token, key, { currentDate: new Date(NOW_MS) });
  await assert.rejects(jwtVerify(token, key, { currentDate: new Date(NOW_MS + 61_000) }), /exp/);
  await assert.rejects(jwtVerify(token, key.toReversed(), { currentDate: new Date(NOW_MS) }), /signature/);
});

Deno.test("The token of a call about no deployment names none", async () => {
  const token = await signRpcToken({
    subhosterId: "acme",
    secret: SECRET,
    deploymentId: null,
    nowMs: NOW_MS,
  });
  assert.deepEqual(Object.keys(decodeJwt(token)).sort(), ["exp", "iat"]);
});
