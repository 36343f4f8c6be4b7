import assert from "node:assert/strict";
import { Answer } from "./answer.ts";
import { explainAttempt, explainProblem, readProblem } from "./problem_words.ts";

Deno.test("what failed is explained by what was tried", () => {
  const cases: [string, "http-01" | "dns-01", RegExp][] = [
    ["connection", "http-01", /could not reach http:\/\/a\.example\/.*: it said so\. .* port 80 open\?$/],
    ["incorrectResponse", "http-01", /got a wrong answer from .* no other server\?$/],
    ["dns", "http-01", /could not resolve a\.example: it said so\. Does an A record/],
    ["dns", "dns-01", /look up the TXT record _acme-challenge\.a\.example: it said so$/],
    ["unauthorized", "dns-01", /did not find the right TXT record at _acme-challenge\.a\.example/],
    ["caa", "http-01", /CAA record does not let .* Add one that does, or remove it$/],
    ["rejectedIdentifier", "dns-01", /does not sign this name: it said so$/],
    ["strange", "http-01", /refused \(strange\): it said so$/],
  ];
  for (const [type, challenge, expected] of cases) {
    const stated = { type, detail: "it said so", subproblems: [] };
    assert.match(explainAttempt(stated, { hostname: "a.example", challenge }), expected);
  }
});

Deno.test("what is wrong with the operator's own settings is told by their names", () => {
  const explain = (type: string) => explainProblem({ type, detail: "x", subproblems: [] });
  assert.match(explain("externalAccountRequired"), /tls\.acme\.eab/);
  assert.match(explain("invalidContact"), /tls\.acme\.email/);
});

Deno.test("a problem document is read without its control characters, and not at any length", () => {
  const read = (document: unknown) => readProblem(Answer.parse(JSON.stringify(document)));
  assert.deepEqual(read({}), { type: "about:blank", detail: "it did not say why", subproblems: [] });
  const { type, detail } = read({ type: "urn:ietf:params:acme:error:caa", detail: "a\x1b[31m\nb." });
  assert.equal(type, "caa");
  assert.equal(detail, "a [31m b");
  assert.equal(read({ detail: "x".repeat(10_000) }).detail.length, 500);
  const identifier = { type: "dns", value: "a\x1b]0;b.example" };
  const strange = read({ type: "a\nb", subproblems: [{ type: "\x9bc", identifier }] });
  assert.equal(explainProblem(strange).match(/[^\x20-\x7e]/), null);
  assert.equal(read({ type: "x".repeat(10_000) }).type.length, 500);
});
