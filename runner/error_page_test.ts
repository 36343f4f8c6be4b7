import assert from "node:assert/strict";
import { errorPage } from "./error_page.ts";
import { type ErrorCode, GatewayError, STATUS } from "./errors.ts";

Deno.test("every code has its status and tells nothing but the code", () => {
  for (const code of Object.keys(STATUS) as ErrorCode[]) {
    const error = new GatewayError(code, "secret /path/of/server", { retryAfterS: 7 });
    const { status, fields, body } = errorPage(error, null);
    assert.equal(status, STATUS[code]);
    assert.equal(fields["x-isola-error"], code);
    assert.equal(fields["retry-after"], "7");
    assert.equal(fields["cache-control"], "no-store");
    const requestId = fields["x-isola-request-id"]!;
    assert.match(requestId, /^[0-9a-f-]{36}$/);
    assert.ok(body.includes(code) && body.includes(requestId) && !body.includes("secret"));
    assert.equal(fields["content-length"], String(new TextEncoder().encode(body).length));
  }
});

Deno.test("what an error has to explain takes the place of what its code says", () => {
  const error = new GatewayError("UNAUTHORIZED", "secret", { explanation: "The token expired 7 s ago." });
  for (const accept of [null, "application/json"]) {
    const { body } = errorPage(error, accept);
    assert.ok(body.includes("The token expired 7 s ago.") && !body.includes("not authorized"));
    assert.ok(body.includes("UNAUTHORIZED") && !body.includes("secret"));
  }
});

Deno.test("JSON is given where it is preferred", () => {
  const rows: [accept: string | null, json: boolean][] = [
    [null, false],
    ["*/*", false],
    ["text/html,application/xhtml+xml,*/*;q=0.8", false],
    ["application/json", true],
    ["application/json, text/plain, */*", true],
    ["application/*", true],
    ["text/html;q=0.5, application/json", true],
    ["text/html, application/json;q=0.9", false],
    ["application/json;q=0", false],
    ["application/json;q=0, */*", false],
    ["Application/JSON ; q=1.0", true],
    ["application/json;q=x, text/html;q=0.1", false],
  ];
  for (const [accept, json] of rows) {
    const { fields, body } = errorPage(new GatewayError("OVERLOADED", ""), accept);
    assert.equal(fields["content-type"]!.startsWith("application/json"), json, String(accept));
    if (!json) continue;
    const { code, message, requestId } = JSON.parse(body);
    assert.deepEqual([code, typeof message], ["OVERLOADED", "string"]);
    assert.equal(requestId, fields["x-isola-request-id"]);
  }
});
