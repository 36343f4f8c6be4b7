import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { WebhookProvider } from "./webhook_provider.ts";

const signal = new AbortController().signal;

Deno.test("a webhook gets what to do, signed with the secret", async () => {
  const bodies: unknown[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.text();
    const signature = `sha256=${createHmac("sha256", "s3cret").update(body).digest("hex")}`;
    bodies.push(JSON.parse(body));
    return new Response(null, { status: request.headers.get("x-isola-signature") === signature ? 204 : 401 });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const url = `http://${host}/dns?token=s3cret`;
  const dns = new WebhookProvider({ url, secret: "s3cret" });
  await dns.present("_acme-challenge.a.example", "x", signal);
  await dns.cleanup("_acme-challenge.a.example", "x", signal);
  assert.deepEqual(bodies, [
    { action: "present", name: "_acme-challenge.a.example", value: "x" },
    { action: "cleanup", name: "_acme-challenge.a.example", value: "x" },
  ]);
  const unsigned = new WebhookProvider({ url, secret: null });
  await assert.rejects(unsigned.present("a.example", "x", signal), {
    name: "DnsProviderError",
    message: `Cannot set the TXT record "a.example": the webhook of "${host}" answered 401`,
  });
});

Deno.test("a webhook that is not there, or sends us elsewhere, is told", async () => {
  const nowhere = new WebhookProvider({ url: "http://127.0.0.1:2/", secret: null });
  await assert.rejects(
    nowhere.present("a.example", "x", signal),
    /the webhook of "127\.0\.0\.1:2": .*refused/,
  );
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(null, { status: 307, headers: { location: "http://127.0.0.1:2/" } }),
  );
  const elsewhere = new WebhookProvider({ url: `http://127.0.0.1:${server.addr.port}/`, secret: null });
  await assert.rejects(elsewhere.cleanup("a.example", "x", signal), /answered 307/);
});
