import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfinedGit, type ConfinedGitOptions, type GitRun } from "./confined_git.ts";
import { TestCa } from "../../tests/test_ca.ts";
import { RemoteRepository } from "./remote_repository.ts";
import { GitServer } from "./testing/git_server.ts";
import { WayOut } from "./way_out.ts";

/** Git as production runs it, with an empty repository. */
async function confined(options: ConfinedGitOptions = {}) {
  const dir = await Deno.makeTempDir({ prefix: "isola-confined-" });
  const git = await ConfinedGit.open(options);
  const gitDir = join(dir, "repo");
  await git.initialize(gitDir);
  const run = (args: string[], more: Partial<GitRun> = {}) =>
    git.output({ args, gitDir, timeoutMs: 20_000, ...more }, 100_000);
  return {
    dir,
    git,
    gitDir,
    run,
    /** Runs a shell where git runs, as somebody would who has taken it over. */
    shell: (script: string, more: Partial<GitRun> = {}) => run(["-c", `alias.own=!${script}`, "own"], more),
    remote: (url: string, wayOut: WayOut) =>
      new RemoteRepository({
        git,
        wayOut,
        url,
        credential: null,
        gitDir,
        signal: new AbortController().signal,
      }),
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

Deno.test("git sees one repository, no state of the server, no environment of its own, and is nobody", async () => {
  await using place = await confined();
  await Deno.writeTextFile(join(place.dir, "isola.db"), "state");
  assert.equal((await place.shell(`cat ${place.dir}/isola.db || echo none`)).trim(), "none");
  assert.equal((await place.shell("ls /root /home /var /work 2>/dev/null; true")).trim(), "");
  assert.match(await place.shell("env"), /^GIT_CONFIG_NOSYSTEM=1$/m);
  assert.doesNotMatch(await place.shell("env"), /ISOLA|USER=|\/root/);
  assert.equal((await place.shell("touch /repo/made 2>/dev/null && echo made; true")).trim(), "");
  assert.equal((await place.shell("touch /repo/made && echo made", { writable: true })).trim(), "made");
  assert.equal((await place.shell("ps -e 2>/dev/null | grep -c deno; true")).trim(), "0");
  if (Deno.uid() === 0) assert.match(await place.shell("id -u"), /^1899999999$|^65534$/m);
});

Deno.test("what takes too long, writes or says too much is ended", async () => {
  await using place = await confined({ bounds: { fileBytes: 100_000 } });
  await assert.rejects(place.shell("sleep 60", { timeoutMs: 300 }), /took longer than 0.3 s/);
  await assert.rejects(place.run(["config", "--list"], { signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
  await assert.rejects(place.shell("yes"), /git says more than 100000 bytes/);
  await using server = await GitServer.start();
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  await server.commit({
    "a.bin": noise,
    "b.bin": noise.toReversed(),
    "c.bin": noise.map((byte) => byte ^ 85),
  });
  await using wayOut = new WayOut({ socketsDir: join(place.dir, "s"), allowPrivate: [server.target] });
  await assert.rejects(place.remote(server.url, wayOut).fetch("main"), /the repository is too large/);
});

Deno.test("git reaches the host of its repository alone, wherever that sends it", async () => {
  await using place = await confined();
  await using other = await GitServer.start();
  await other.commit({ "main.ts": "1" });
  await using redirecting = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => Response.redirect(new URL(request.url.replace(/^https?:\/\/[^/]+/, ""), other.url), 302),
  );
  const target = `127.0.0.1:${redirecting.addr.port}`;
  await using wayOut = new WayOut({ socketsDir: join(place.dir, "s"), allowPrivate: [target, other.target] });
  await assert.rejects(
    place.remote(`http://${target}/repo.git`, wayOut).heads(),
    /its address is not public/,
  );
  await assert.rejects(
    place.run(["ls-remote", other.url]),
    /Could not connect|Couldn't connect|unable to access/,
  );
  await assert.rejects(place.run(["ls-remote", "file:///repo"]), /transport 'file' not allowed/);
  await assert.rejects(place.run(["ls-remote", "ext::sh -c id"]), /transport 'ext' not allowed/);
  assert.deepEqual(other.requests, []);
});

Deno.test("an authority that the operator trusts is trusted, and no other", async () => {
  using ca = await TestCa.make();
  await using server = await GitServer.start({ tls: await ca.issue(["localhost"]) });
  const sha = await server.commit({ "main.ts": "1" });
  for (const caFile of [undefined, ca.path]) {
    await using place = await confined({ caFile });
    await using wayOut = new WayOut({ socketsDir: join(place.dir, "s"), allowPrivate: [server.target] });
    const fetch = () => place.remote(server.url, wayOut).fetch("main");
    const post = () =>
      wayOut.to(server.url, (egressSocket) => {
        const request = { url: `${server.url}/info/refs`, method: "POST", headers: {}, body: "" };
        return place.git.request(request, { gitDir: place.gitDir, timeoutMs: 20_000, egressSocket });
      });
    if (caFile === undefined) {
      await assert.rejects(fetch, /the certificate of its host is not trusted/);
      await assert.rejects(post, /UnknownIssuer/);
    } else {
      assert.equal(await fetch(), sha);
      assert.equal((await post()).status, 400);
    }
  }
});

Deno.test("without namespaces the bounds and the proxy are kept to all the same", async () => {
  await using place = await confined({ sandboxed: false });
  await using server = await GitServer.start();
  const sha = await server.commit({ "main.ts": "1" });
  await using wayOut = new WayOut({ socketsDir: join(place.dir, "s"), allowPrivate: [server.target] });
  assert.equal(await place.remote(server.url, wayOut).fetch("main"), sha);
  await using closed = new WayOut({ socketsDir: join(place.dir, "t"), allowPrivate: [] });
  await assert.rejects(place.remote(server.url, closed).heads(), /its address is not public/);
  await assert.rejects(place.shell("sleep 60", { timeoutMs: 300 }), /took longer than/);
});
