import assert from "node:assert/strict";
import { CertificateWants } from "./certificate_wants.ts";

function wants(routed: (hostname: string) => boolean = () => true) {
  const asked: string[] = [];
  const wants = new CertificateWants({ routes: routed, ask: (hostname) => asked.push(hostname) });
  return { wants, asked };
}

Deno.test("any number of visitors ask once for a name, and all hear when its order has ended", async () => {
  const { wants: some, asked } = wants();
  const waiting = [some.want("a.test"), some.want("a.test"), some.want("b.test")];
  assert.deepEqual(asked, ["a.test", "b.test"]);
  some.ordered("a.test");
  some.ordered("b.test");
  await Promise.all(waiting);
  await some.want("a.test"); // It did not come: not asked for again so soon.
  assert.deepEqual(asked, ["a.test", "b.test"]);
});

Deno.test("a name that leads nowhere is not asked for, and names do not pile up", async () => {
  const { wants: some, asked } = wants((hostname) => !hostname.startsWith("random"));
  for (let i = 0; i < 100; i++) await some.want(`random-${i}.test`);
  assert.deepEqual(asked, []);
  const waiting = Array.from({ length: 1500 }, (_, i) => some.want(`name-${i}.test`));
  assert.equal(asked.length, 1000);
  for (const hostname of asked) some.ordered(hostname);
  await Promise.all(waiting);
});
