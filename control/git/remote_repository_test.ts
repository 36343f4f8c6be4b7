import assert from "node:assert/strict";
import { FLUSH, packet } from "./push/pkt_line.ts";
import { follow } from "./testing/followed.ts";

const SHA = "1".repeat(40);

/** A server that says the same to whoever asks. */
function lyingServer(lines: () => string[]) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    const packets = lines().map((line) => packet(new TextEncoder().encode(line)));
    const service = packet(new TextEncoder().encode("# service=git-upload-pack\n"));
    return new Response(new Blob([service, FLUSH, ...packets, FLUSH]), {
      headers: { "content-type": "application/x-git-upload-pack-advertisement" },
    });
  });
  const target = `127.0.0.1:${server.addr.port}`;
  return { url: `http://${target}/repo.git`, target, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("what a server lists that is no branch is not followed, and its words do nothing to a terminal", async () => {
  const names = ["good", "../../x", "-option", "a\x1b[2J", "b\x9bc", "*", "x".repeat(300), "also/good"];
  let lines = names.map((name, index) => `${SHA} refs/heads/${name}${index === 0 ? "\0agent=git/x" : ""}\n`);
  await using server = lyingServer(() => lines);
  await using followed = await follow(server);
  const { store, project } = followed;
  await assert.rejects(followed.sync(), /its HEAD is no branch/);
  assert.deepEqual(store.gitLinks.branches(project.id).map(({ branch }) => branch), ["also/good", "good"]);
  lines = ["ERR \x1b[2JOwned\x9b"];
  await assert.rejects(followed.sync(), (error: Error) => {
    assert.match(error.message, /Owned/);
    assert.doesNotMatch(error.message, /\p{Cc}/u);
    return true;
  });
});
