import assert from "node:assert/strict";
import type { CertificateRecord } from "../model.ts";
import { AcmeError } from "./acme/acme_error.ts";
import { captureLog, HOUR } from "./acme/testing/world.ts";
import { RenewalWindows } from "./provisioning_windows.ts";

Deno.test("a certificate that its authority does not know does not keep others from being asked for", async () => {
  using _log = captureLog();
  let now = Date.now();
  const window = { start: now, end: now + HOUR, retryAfterMs: null };
  const windows = new RenewalWindows({
    now: () => now,
    random: () => 0,
    renewalInfo: (chain) =>
      chain === "of another authority"
        ? Promise.reject(new AcmeError("no", { type: "malformed", detail: "no" }))
        : Promise.resolve(window),
  });
  const records = [["old", "of another authority"], ["new", "of this authority"]].map(([id, chain]) =>
    ({ id, chain, names: [`${id}.example`] }) as CertificateRecord
  );
  const { signal } = new AbortController();
  await windows.check(records, signal);
  assert.equal(windows.nextCheckAt(records), now + HOUR);
  now += HOUR;
  await windows.check(records, signal);
  assert.equal(windows.suggestedAt("new"), window.start);
});
