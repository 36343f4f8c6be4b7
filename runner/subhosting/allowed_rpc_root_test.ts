import assert from "node:assert/strict";
import { allowedRpcRoot } from "./allowed_rpc_root.ts";

const ALLOWED = ["https://origin.example/v0/", "http://127.0.0.1:9000/"];

Deno.test("an rpc_root is an allowed one or below it, and as URL writes it", () => {
  const rows: [rpcRoot: string, expected: string][] = [
    ["https://origin.example/v0/", "https://origin.example/v0/"],
    ["https://origin.example/v0/tenant/7/", "https://origin.example/v0/tenant/7/"],
    ["HTTPS://Origin.Example:443/v0/a..b/", "https://origin.example/v0/a..b/"],
    ["http://127.0.0.1:9000/", "http://127.0.0.1:9000/"],
    ["http://127.1:9000/any/", "http://127.0.0.1:9000/any/"],
    ["https://origin.example/v0/%20/", "https://origin.example/v0/%20/"],
  ];
  for (const [rpcRoot, expected] of rows) assert.equal(allowedRpcRoot(rpcRoot, ALLOWED), expected, rpcRoot);
});

Deno.test("whatever is not plainly below an allowed rpc_root is none", () => {
  const rows = [
    "",
    "/v0/",
    "origin.example/v0/",
    "//origin.example/v0/",
    "https://",
    "https://origin.example/",
    "https://origin.example/v0",
    "https://origin.example/v00/",
    "https://origin.example/V0/",
    "http://origin.example/v0/",
    "https://origin.example:8443/v0/",
    "https://origin.example.evil.example/v0/",
    "https://origin.example./v0/",
    "https://evil.example/https://origin.example/v0/",
    "https://user@origin.example/v0/",
    "https://user:password@origin.example/v0/",
    "https://@origin.example/v0/",
    "https://origin.example@evil.example/v0/",
    "https://origin.example/v0/?",
    "https://origin.example/v0/?a=/",
    "https://origin.example/v0/#",
    "https://origin.example/v0/#/",
    "https://origin.example/v0/../",
    "https://origin.example/v0/../v0/",
    "https://origin.example/v0/./",
    "https://origin.example/v0/%2e%2e/",
    "https://origin.example/v0/%2E./",
    "https://origin.example/v0/a%2f..%2f../",
    "https://origin.example/v0/%5c../",
    "https://origin.example/v0\\..\\/",
    "https:\\\\origin.example\\v0\\/",
    "https://origin.example/v0/\t/",
    " https://origin.example/v0/",
    "https://origin.example/v0/\n",
    "https://ｏrigin.example/v0/",
    "https:origin.example/v0/x y/",
    "ftp://origin.example/v0/",
    "file:///v0/",
    "javascript://origin.example/v0/",
  ];
  for (const rpcRoot of rows) assert.equal(allowedRpcRoot(rpcRoot, ALLOWED), null, rpcRoot);
  assert.equal(allowedRpcRoot("https://origin.example/v0/", []), null);
});
