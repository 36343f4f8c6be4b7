import assert from "node:assert/strict";
import { checkRpcRoot } from "./rpc_root.ts";

const ALLOWED = ["https://origin.example/v0/", "http://127.0.0.1:9000/a/"];

const CASES: [rpcRoot: string, checked: string | null][] = [
  ["https://origin.example/v0/", "https://origin.example/v0/"],
  ["https://origin.example/v0/tenant/", "https://origin.example/v0/tenant/"],
  ["HTTPS://ORIGIN.example:443/v0/", "https://origin.example/v0/"],
  ["https://origin.example/x/../v0/", "https://origin.example/v0/"],
  ["http://127.0.0.1:9000/a/", "http://127.0.0.1:9000/a/"],
  ["https://origin.example/v0", null],
  ["https://origin.example/v0evil/", null],
  ["https://origin.example/", null],
  ["https://origin.example/v0/../", null],
  ["https://origin.example/v0/%2e%2e/", null],
  ["https://origin.example/v0/a%2F..%2F/", null],
  ["https://origin.example/v0/%5c/", null],
  ["https://origin.example/v0\\..\\", null],
  ["https://origin.example/v0/?a=/", null],
  ["https://origin.example/v0/#/", null],
  ["https://user@origin.example/v0/", null],
  ["https://:secret@origin.example/v0/", null],
  ["https://origin.example.evil/v0/", null],
  ["https://origin.example@evil.example/v0/", null],
  ["https://origin.example:8443/v0/", null],
  ["http://origin.example/v0/", null],
  ["ftp://origin.example/v0/", null],
  ["file:///v0/", null],
  ["/v0/", null],
  ["", null],
];

for (const [rpcRoot, checked] of CASES) {
  Deno.test(`An rpc root "${rpcRoot}" is ${checked === null ? "refused" : "allowed"}`, () => {
    assert.equal(checkRpcRoot(rpcRoot, ALLOWED), checked);
  });
}

Deno.test("An rpc root is refused where none is allowed", () => {
  assert.equal(checkRpcRoot("https://origin.example/v0/", []), null);
});
