import assert from "node:assert/strict";
import { branchLabel } from "./branch_label.ts";

const free = () => false;

Deno.test("a branch is called in its hostname by its letters and digits", () => {
  const labels = {
    main: "main",
    "feature/Log_in": "feature-log-in",
    "v1.2.x": "v1-2-x",
    "--odd--": "odd",
    "a--b": "a-b",
    ["x".repeat(35)]: "x".repeat(35),
  };
  for (const [branch, label] of Object.entries(labels)) assert.equal(branchLabel(branch, free), label);
});

Deno.test("a branch that is too long, has no letters or is called as another gets some of its hash", () => {
  const taken = (...labels: string[]) => (label: string) => labels.includes(label);
  assert.match(branchLabel("x".repeat(36), free), /^x{26}-[0-9a-f]{8}$/);
  assert.match(branchLabel("日本", free), /^[0-9a-f]{8}$/);
  const login = branchLabel("feature/login", taken("feature-login"));
  assert.match(login, /^feature-login-[0-9a-f]{8}$/);
  assert.match(branchLabel("feature/login", taken("feature-login", login)), /^feature-login-[0-9a-f]{9}$/);
  for (const branch of [`${"a".repeat(25)}/b/c/d/e/f`, "z".repeat(200)]) {
    const label = branchLabel(branch, free);
    assert.match(label, /^[a-z0-9](?:-?[a-z0-9])*$/);
    assert.ok(label.length <= 35, label);
  }
});
