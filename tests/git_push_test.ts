import assert from "node:assert/strict";
import { join } from "node:path";
import { HAS_NAMESPACES } from "../control/build/testing/has_namespaces.ts";
import { serverForTests, until } from "./server.ts";

const started = serverForTests();

/** Where somebody works on a project, with the git of this machine. */
class WorkingCopy implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync({ prefix: "isola-working-copy-" });

  /** Runs git, whether or not it succeeds. */
  async git(...args: string[]): Promise<{ code: number; output: string }> {
    const { code, stdout, stderr } = await new Deno.Command("git", {
      args: ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-C", this.dir, ...args],
      env: {
        GIT_TERMINAL_PROMPT: "0",
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        LC_ALL: "C",
      },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** Runs git, which succeeds. */
  async run(...args: string[]): Promise<string> {
    const { code, output } = await this.git(...args);
    assert.equal(code, 0, `git ${args.join(" ")}: ${output}`);
    return output;
  }

  async commit(message: string, files: Record<string, string>): Promise<void> {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(this.dir, name), text);
    await this.run("add", "--all");
    await this.run("commit", "--quiet", "--message", message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

const serving = (answer: string) => `Deno.serve(() => new Response(${JSON.stringify(answer)}));\n`;

async function answerOf(host: string): Promise<string> {
  const response = await started.server.fetch(host);
  const text = await response.text();
  return response.ok ? text : String(response.status);
}

Deno.test("git push deploys: production, branches at URLs of their own, and tells what became of it", async (t) => {
  const { server } = started;
  const projectId = await server.project("shop");
  const url = (token: string, name = "shop") =>
    `${server.controlUrl.replace("//", `//ann:${token}@`)}/git/${name}.git`;
  await using work = new WorkingCopy();
  await work.run("init", "--quiet", "--initial-branch", "main");
  await work.run("remote", "add", "isola", url(server.token));
  await work.commit("Open the shop", { "main.ts": serving("one") });

  await t.step("the first push makes the production", async () => {
    const output = await work.run("push", "isola", "main");
    assert.match(output, /remote: Building main as [a-z0-9]{12}/);
    assert.match(output, /remote: Deployed:/);
    assert.equal(await answerOf("shop"), "one");
    assert.equal(await answerOf("shop--main"), "one");
    const [deployment] = await server.api<Record<string, unknown>[]>(
      "GET",
      `/v1/projects/${projectId}/deployments`,
    );
    assert.ok((deployment!.domains as string[]).includes("shop--main.localhost"));
    assert.equal(deployment!.description, "Open the shop");
  });

  await t.step("another branch has a URL that follows it, and production stays", async () => {
    await work.run("checkout", "--quiet", "-b", "feature/Two");
    await work.commit("Try two", { "main.ts": serving("two") });
    assert.match(await work.run("push", "isola", "HEAD"), /http:\/\/shop--feature-two\.localhost/);
    assert.equal(await answerOf("shop--feature-two"), "two");
    await work.commit("Try three", { "main.ts": serving("three") });
    await work.run("push", "isola", "HEAD");
    assert.equal(await answerOf("shop--feature-two"), "three");
    assert.equal(await answerOf("shop"), "one");
  });

  await t.step("history may be rewritten", async () => {
    await work.run("commit", "--quiet", "--amend", "--message", "Try it again");
    await work.run("push", "--force", "isola", "HEAD");
    assert.equal(await answerOf("shop--feature-two"), "three");
  });

  await t.step("a build that fails is told with its reason, and changes nothing", async () => {
    await work.commit("Break it", { "main.ts": 'import "./missing.ts";\n' });
    const output = await work.run("push", "isola", "HEAD");
    assert.match(output, /remote: error: Cannot resolve ".\/missing.ts" imported from main.ts:1:8/);
    assert.match(output, /remote: error: Deployment [a-z0-9]{12} failed/);
    assert.equal(await answerOf("shop--feature-two"), "three");
  });

  await t.step("a commit that asks for it is not deployed", async () => {
    await work.commit("Mend it [skip ci]", { "main.ts": serving("four") });
    assert.match(await work.run("push", "isola", "HEAD"), /remote: Not deploying feature\/Two/);
    assert.equal(await answerOf("shop--feature-two"), "three");
  });

  await t.step({
    name: "a build command runs before",
    ignore: !HAS_NAMESPACES,
    fn: async () => {
      const settings = { buildCommand: "deno task build", productionBranch: "main" };
      await server.api("PUT", `/v1/projects/${projectId}/git`, { url: null, ...settings });
      await work.commit("Build it", {
        "deno.json": JSON.stringify({ tasks: { build: "mkdir dist && echo $GREETING > dist/index.txt" } }),
        "main.ts": `const url = new URL("./dist/index.txt", import.meta.url);
        Deno.serve(() => new Response(Deno.readTextFileSync(url)));`,
      });
      await server.api("PATCH", `/v1/projects/${projectId}/env_vars?redeploy=false`, { GREETING: "built" });
      assert.match(await work.run("push", "isola", "HEAD"), /remote: Running deno task build/);
      assert.equal(await answerOf("shop--feature-two"), "built\n");
      await server.api("DELETE", `/v1/projects/${projectId}/git`);
    },
  });

  await t.step("what is there can be cloned, and pushed to from a shallow clone", async () => {
    await using clone = new WorkingCopy();
    await clone.run("clone", "--quiet", "--depth", "1", url(server.token), ".");
    assert.equal(await Deno.readTextFile(join(clone.dir, "main.ts")), serving("one"));
    await clone.commit("From elsewhere", { "main.ts": serving("five") });
    await clone.run("push", "origin", "main");
    assert.equal(await answerOf("shop"), "five");
  });

  await t.step("a branch that is deleted has no URL any more", async () => {
    await work.run("push", "isola", "--delete", "feature/Two");
    assert.equal(await answerOf("shop--feature-two"), "404");
  });

  await t.step("nothing but branches is taken", async () => {
    await work.run("tag", "v1");
    const { code, output } = await work.git("push", "isola", "v1");
    assert.equal(code, 1);
    assert.match(output, /remote rejected.* v1 -> v1 \(deny updating a hidden ref\)/);
  });

  await t.step("who may not push is told why", async () => {
    const [organization] = await server.api<{ id: string }[]>("GET", "/v1/organizations");
    const tokenOf = (role: string, bound: Record<string, string>) =>
      server.api<{ token: string }>("POST", "/v1/tokens", {
        name: `${role}-${Object.keys(bound)[0]}`,
        role,
        ...bound,
      });
    const reader = await tokenOf("read", { organizationId: organization!.id });
    const foreign = await tokenOf("deploy", { projectId: await server.project("other") });
    const refused = async (token: string, name?: string) => {
      const { code, output } = await work.git("push", url(token, name), "main");
      assert.equal(code, 128);
      return output;
    };
    assert.match(await refused("wrong"), /Authentication failed|could not read Username/);
    assert.match(
      await refused(reader.token),
      /remote: Cannot push to "shop": .* has the role "read".*\n[^]*403/,
    );
    assert.match(await refused(foreign.token), /remote: Project "shop" does not exist/);
    assert.match(await refused(server.token, "nobody"), /remote: Project "nobody" does not exist/);
    await work.run("ls-remote", url(reader.token));
  });

  await t.step("a pack that is garbage is refused, and the next push is taken", async () => {
    const sha = "1".repeat(40);
    const command = `${"0".repeat(40)} ${sha} refs/heads/bad\0 report-status side-band-64k`;
    const push = (body: BodyInit) =>
      fetch(`${server.controlUrl}/git/shop.git/git-receive-pack`, {
        method: "POST",
        body,
        headers: { authorization: `Basic ${btoa(`x:${server.token}`)}` },
      });
    const line = (command.length + 4).toString(16).padStart(4, "0") + command;
    const answer = await (await push(`${line}0000PACK\0\0\0\x02\0\0\0\x05${"garbage".repeat(1000)}`)).text();
    assert.match(answer, /unpack index-pack abnormal exit|unpacker error/);
    const refused = await push("This is no push");
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /Invalid push: .*"This" is not a length/);
    await work.run("checkout", "--quiet", "main");
    await work.commit("Go on", { "main.ts": serving("six") });
    await work.run("push", "--force", "isola", "main");
    assert.equal(await answerOf("shop"), "six");
  });

  await t.step("a deleted project takes its repository with it", async () => {
    await server.api("DELETE", `/v1/projects/${projectId}`);
    const { output } = await work.git("push", "isola", "main");
    assert.match(output, /Project "shop" does not exist/);
    await until(
      "the repository is gone",
      () => Array.from(Deno.readDirSync(`${server.dataDir}/git`)).length === 0,
    );
  });
});
