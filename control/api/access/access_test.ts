import assert from "node:assert/strict";
import { refusal } from "./guard.ts";
import { startTestApi } from "../testing/test_api.ts";

Deno.test("every call under /v1 needs the token, also those that do not exist", async () => {
  await using api = await startTestApi();
  for (const authorization of ["", "Bearer", "Bearer wrong", "Basic dG9rZW4=", `bearer ${api.token}x`]) {
    for (const path of ["/v1/organizations", "/v1/isolates", "/v1/nothing"]) {
      const { status, headers, body } = await api.call("GET", path, undefined, { authorization });
      assert.deepEqual([status, body.code], [401, "unauthorized"], `${authorization} ${path}`);
      assert.equal(headers.get("www-authenticate"), "Bearer");
      assert.match(headers.get("x-deno-ray")!, /./);
    }
  }
  const lower = await api.call("GET", "/v1/organizations", undefined, {
    authorization: `bearer ${api.token}`,
  });
  assert.equal(lower.status, 200);
  assert.deepEqual((await api.call("GET", "/v1/nothing")).body.code, "notFound");
});

Deno.test("a wrong token is refused while the body is still to come", async () => {
  await using api = await startTestApi();
  const { hostname, port } = new URL(api.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = [
    `POST /v1/organizations/x/projects HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    "Authorization: Bearer wrong",
    "Content-Length: 1000000",
    "\r\n",
  ];
  await connection.write(new TextEncoder().encode(head.join("\r\n")));
  const buffer = new Uint8Array(1000);
  const read = await connection.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, read ?? 0)), /^HTTP\/1\.1 401 /);
});

Deno.test("health, metrics and the home page need no token", async () => {
  await using api = await startTestApi();
  const anonymous = { authorization: "" };
  const home = await api.call("GET", "/", undefined, anonymous);
  assert.equal(home.status, 200);
  assert.match(home.body, /\/v1/);
  assert.match(home.headers.get("content-security-policy")!, /default-src 'none'/);
  assert.deepEqual((await api.call("GET", "/metrics", undefined, anonymous)).body, "isola_up 1\n");
  assert.deepEqual((await api.call("GET", "/healthz", undefined, anonymous)).status, 200);
  api.health = { status: "starting", version: "1" };
  const starting = await api.call("GET", "/healthz", undefined, anonymous);
  assert.deepEqual([starting.status, starting.body], [503, { status: "starting", version: "1" }]);
});

Deno.test("foreign names and origins are refused before the token is looked at", async () => {
  await using api = await startTestApi();
  const { status, body } = await api.call("GET", "/healthz", undefined, {
    origin: "https://evil.example",
    authorization: "",
  });
  assert.deepEqual([status, body.code], [403, "forbidden"]);
});

Deno.test("which names and origins the control address answers to", () => {
  const ask = (host: string, origin?: string) => {
    const request = new Request("http://ignored.example/", { headers: { host, ...origin && { origin } } });
    return refusal(request, ["console.example.com"]) === null;
  };
  for (
    const host of [
      "localhost",
      "localhost:8001",
      "LOCALHOST.",
      "isola.localhost:8001",
      "127.0.0.1:8001",
      "192.168.1.5",
      "[::1]:8001",
      "console.example.com",
      "Console.Example.Com:443",
    ]
  ) assert.ok(ask(host), host);
  for (
    const host of ["evil.example", "localhost.evil.example", "notlocalhost", "", "a b", "x@localhost:1/"]
  ) {
    assert.ok(!ask(host), host);
  }
  assert.ok(ask("localhost:8001", "http://localhost:8001"));
  assert.ok(ask("console.example.com", "https://console.example.com"));
  for (
    const origin of [
      "http://localhost:8000",
      "http://app.localhost:8001",
      "null",
      "http://evil.example",
      "http://localhost:8001.evil.example",
    ]
  ) assert.ok(!ask("localhost:8001", origin), origin);
});

Deno.test("a page of another site cannot call the control address, but a link leads to it", () => {
  const ask = (site: string, { method = "GET", mode = "cors", dest = "empty" } = {}) => {
    const headers = { host: "localhost:8001", "sec-fetch-mode": mode, "sec-fetch-dest": dest };
    const request = new Request("http://ignored.example/", {
      method,
      headers: { ...headers, "sec-fetch-site": site },
    });
    return refusal(request, []) === null;
  };
  const link = { mode: "navigate", dest: "document" };
  assert.ok(ask("same-origin") && ask("none"));
  for (const site of ["cross-site", "same-site"]) {
    assert.ok(!ask(site) && !ask(site, { mode: "no-cors", dest: "script" }), site);
    assert.ok(!ask(site, { ...link, dest: "iframe" }), site);
    assert.ok(!ask(site, { ...link, method: "POST" }), site);
    assert.ok(ask(site, link), site);
  }
});

Deno.test("who guesses tokens is told to wait, while good ones go on working from the same address", async () => {
  await using api = await startTestApi();
  const { body: { token } } = await api.call("POST", "/v1/tokens", { name: "a", role: "admin" });
  const guess = (text: string) =>
    api.call("GET", "/v1/organizations", undefined, { authorization: `Bearer ${text}` });
  const statuses = [];
  for (let n = 0; n < 12; n++) statuses.push((await guess(`guess-${n}`)).status);
  assert.deepEqual(statuses, [...new Array(10).fill(401), 429, 429]);
  const refused = await guess("guess");
  assert.equal(refused.body.code, "tooManyAttempts");
  const seconds = Number(refused.headers.get("retry-after"));
  assert.ok(seconds > 0 && seconds <= 60, `${seconds}`);
  assert.equal((await guess(token)).status, 200, "never used before");
  assert.equal((await guess(api.token)).status, 200, "used before");
  const elsewhere = { authorization: "Bearer guess", "x-forwarded-for": "192.0.2.7" };
  assert.equal((await api.call("GET", "/v1/organizations", undefined, elsewhere)).status, 401);
  assert.equal(api.deps.authenticator.failures, 14);
});
