import assert from "node:assert/strict";
import { directClient } from "./direct_client.ts";

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`what is at ${hostname} is asked, whatever the URL names`, async () => {
    await using server = Deno.serve({ hostname, port: 0, onListen() {} }, ({ url }) => new Response(url));
    using client = directClient({ hostname, port: server.addr.port });
    const response = await fetch("http://shop.example/proof", { client });
    assert.equal(await response.text(), "http://shop.example/proof");
  });
}
