import assert from "node:assert/strict";
import { errorPage } from "./error_page.ts";
import { type ErrorCode, GatewayError, STATUS } from "./errors.ts";

Deno.test("every code has its status and tells nothing but the code", async () => {
  for (const code of Object.keys(STATUS) as ErrorCode[]) {
    const error = new GatewayError(code, "secret /path/of/server", 7);
    const response = errorPage(error, { method: "GET", accept: null });
    assert.equal(response.status, STATUS[code]);
    assert.equal(response.headers.get("x-isola-error"), code);
    assert.equal(response.headers.get("retry-after"), "7");
    assert.equal(response.headers.get("cache-control"), "no-store");
    const requestId = response.headers.get("x-isola-request-id")!;
    assert.match(requestId, /^[0-9a-f-]{36}$/);
    const page = await response.text();
    assert.ok(page.includes(code) && page.includes(requestId) && !page.includes("secret"));
    assert.equal(response.headers.get("content-length"), String(new TextEncoder().encode(page).length));
  }
});

Deno.test("JSON is given where it is preferred", async () => {
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
    const response = errorPage(new GatewayError("OVERLOADED", ""), { method: "GET", accept });
    const type = response.headers.get("content-type")!;
    assert.equal(type.startsWith("application/json"), json, String(accept));
    const body = await response.text();
    if (!json) continue;
    const { code, message, requestId } = JSON.parse(body);
    assert.deepEqual([code, typeof message], ["OVERLOADED", "string"]);
    assert.equal(requestId, response.headers.get("x-isola-request-id"));
  }
});

Deno.test("HEAD gets the headers alone", async () => {
  const response = errorPage(new GatewayError("BAD_REQUEST", ""), { method: "HEAD", accept: null });
  assert.equal(response.body, null);
  assert.ok(Number(response.headers.get("content-length")) > 0);
  assert.equal(await response.text(), "");
});
