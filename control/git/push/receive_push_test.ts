import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ApiError } from "../../api/errors.ts";
import { ConfinedGit } from "../confined_git.ts";
import { FLUSH, packet } from "./pkt_line.ts";
import { type Pushed, receivePush } from "./receive_push.ts";
import { Repositories } from "./repositories.ts";

const PROJECT = "11111111-2222-4333-8444-555555555555";
const NOTHING = "0".repeat(40);
const CAPABILITIES = "report-status side-band-64k delete-refs";

/** Repositories, and one from which is pushed without a server between. */
class Bench implements AsyncDisposable {
  readonly repositories: Repositories;
  readonly pushed: Pushed["branches"][] = [];
  readonly #dir: string;

  private constructor(dir: string, git: ConfinedGit, maxRepositoryBytes?: number) {
    this.#dir = dir;
    const organizationOf = (projectId: string) => projectId === PROJECT ? "ours" : undefined;
    this.repositories = new Repositories({ dir: join(dir, "git"), git, organizationOf, maxRepositoryBytes });
  }

  static async open(maxRepositoryBytes?: number): Promise<Bench> {
    const dir = await Deno.makeTempDir({ prefix: "isola-push-" });
    const bench = new Bench(dir, await ConfinedGit.open(), maxRepositoryBytes);
    await Deno.mkdir(join(dir, "work"));
    await bench.git(["init", "--quiet", "--initial-branch", "main"]);
    return bench;
  }

  async git(args: string[], stdin = ""): Promise<Uint8Array<ArrayBuffer>> {
    const process = new Deno.Command("git", {
      args: ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", ...args],
      cwd: join(this.#dir, "work"),
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    await new Blob([stdin]).stream().pipeTo(process.stdin);
    const { success, stdout } = await process.output();
    assert.ok(success, args.join(" "));
    return stdout;
  }

  async line(args: string[], stdin?: string): Promise<string> {
    return new TextDecoder().decode(await this.git(args, stdin)).trim();
  }

  async commit(bytes: Uint8Array): Promise<string> {
    await Deno.writeFile(join(this.#dir, "work", "content"), bytes);
    await this.git(["add", "--all"]);
    await this.git(["commit", "--quiet", "--message", "Change it"]);
    return await this.line(["rev-parse", "HEAD"]);
  }

  /** All of a commit. */
  pack(sha: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.git(["pack-objects", "--quiet", "--revs", "--stdout"], sha);
  }

  async push(
    ...parts: (string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>)[]
  ): Promise<string> {
    const body = async function* () {
      for (const part of parts) {
        if (part instanceof ReadableStream) yield* part;
        else yield typeof part === "string" ? packet(new TextEncoder().encode(part)) : part;
      }
    };
    const answer = await receivePush(ReadableStream.from(body()), {
      repositories: this.repositories,
      projectId: PROJECT,
      follower: {
        pushed: ({ branches }) => {
          this.pushed.push(branches);
          return Promise.resolve();
        },
      },
    });
    return await new Response(answer as ReadableStream<Uint8Array<ArrayBuffer>> | null).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.repositories[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

function command(branch: string, { from = NOTHING, to }: { from?: string; to: string }): string {
  return `${from} ${to} refs/heads/${branch}\0 ${CAPABILITIES}`;
}

Deno.test("what was pushed is told of, and who only tries his credentials pushes nothing", async () => {
  await using bench = await Bench.open();
  const sha = await bench.commit(new Uint8Array(10));
  assert.equal(await bench.push(FLUSH), "");
  assert.match(
    await bench.push(command("feature", { to: sha }), FLUSH, await bench.pack(sha)),
    /ok refs\/heads\/feature/,
  );
  assert.deepEqual(bench.pushed, [new Map([["feature", sha]])]);
  assert.match(
    await bench.push(command("feature", { from: sha, to: NOTHING }), FLUSH),
    /ok refs\/heads\/feature/,
  );
  assert.deepEqual(bench.pushed.at(-1), new Map([["feature", null]]));
});

Deno.test("a repository takes no more than it may hold", async () => {
  await using bench = await Bench.open(2 ** 20);
  const pushOf = async (branch: string, bytes: number) => {
    const sha = await bench.commit(randomBytes(bytes));
    const answer = await bench.push(command(branch, { to: sha }), FLUSH, await bench.pack(sha));
    await bench.git(["update-ref", "-d", "HEAD"]);
    return answer;
  };
  assert.match(await pushOf("large", 2 ** 21), /pack exceeds maximum allowed size/);
  assert.match(await pushOf("first", 400_000), /ok refs/);
  assert.match(await pushOf("second", 400_000), /ok refs/);
  assert.match(await pushOf("third", 400_000), /pack exceeds maximum allowed size/);
  assert.deepEqual(bench.pushed.flatMap((branches) => [...branches.keys()]), ["first", "second"]);
});

Deno.test("a repository takes no more branches than a few thousand, and lets them be deleted", async () => {
  await using bench = await Bench.open();
  const sha = await bench.commit(new Uint8Array(10));
  const pack = await bench.pack(sha);
  await bench.push(command("main", { to: sha }), FLUSH, pack);
  const others = Array.from({ length: 4999 }, (_, index) => `${sha} refs/heads/b${index}\n`);
  await Deno.writeTextFile(join(bench.repositories.path(PROJECT), "packed-refs"), others.join(""));
  const create = command("one-more", { to: sha });
  assert.match(await bench.push(create, FLUSH, pack), /has 5000 branches at most: delete some/);
  const remove = command("b7", { from: sha, to: NOTHING });
  assert.match(await bench.push(remove, FLUSH), /ok refs\/heads\/b7/);
  assert.match(await bench.push(create, FLUSH, pack), /ok refs\/heads\/one-more/);
});

Deno.test("objects that could harm whoever checks them out are refused", async () => {
  await using bench = await Bench.open();
  const blob = await bench.line(["hash-object", "-w", "--stdin"], "echo harm");
  const tree = await bench.line(["mktree"], `100755 blob ${blob}\thooks\n`);
  const outer = await bench.line(["mktree"], `040000 tree ${tree}\t.GIT\n`);
  const sha = await bench.line(["commit-tree", outer, "-m", "Harm"]);
  const answer = await bench.push(command("main", { to: sha }), FLUSH, await bench.pack(sha));
  assert.match(answer, /hasDotgit/);
  assert.deepEqual(bench.pushed, []);
});

Deno.test("what a push that broke off or was killed left behind does not keep the next one from being taken", async () => {
  await using bench = await Bench.open();
  const sha = await bench.commit(randomBytes(300_000));
  const pack = await bench.pack(sha);
  let sent = false;
  const breaksOff = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (sent) controller.error(new Error("The connection is gone"));
      else controller.enqueue(pack.slice(0, 100_000));
      sent = true;
    },
  });
  await bench.push(command("main", { to: sha }), FLUSH, breaksOff);
  assert.deepEqual(bench.pushed, []);
  const locks = ["HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "gc.pid"];
  for (const name of locks) await Deno.writeTextFile(join(bench.repositories.path(PROJECT), name), "");
  await bench.push(command("main", { to: sha }), FLUSH, pack);
  assert.deepEqual(bench.pushed, [new Map([["main", sha]])]);
  const objects = Array.from(
    Deno.readDirSync(join(bench.repositories.path(PROJECT), "objects")),
    ({ name }) => name,
  );
  assert.deepEqual(objects.sort(), ["info", "pack"]);
});

Deno.test("what is no push is refused before anything is done", async () => {
  await using bench = await Bench.open();
  const many = Array.from({ length: 1001 }, (_, index) => command(`b${index}`, { to: "1".repeat(40) }));
  const refused = async (...parts: (string | Uint8Array<ArrayBuffer>)[]) => {
    let message = "";
    await assert.rejects(bench.push(...parts), (error) => {
      message = (error as Error).message;
      return error instanceof ApiError && error.code === "badRequest";
    });
    return message;
  };
  assert.match(await refused(...many), /more than 1000 branches/);
  const long = "x".repeat(65_000);
  assert.match(await refused(...Array.from({ length: 100 }, () => long)), /more than 1000 branches/);
  assert.match(await refused(new TextEncoder().encode("PACK")), /"PACK" is not a length/);
  assert.match(await refused(new TextEncoder().encode("0003")), /"0003" is not a length/);
  assert.match(await refused(new TextEncoder().encode("00ffshort")), /ends within one/);
  assert.equal(await bench.repositories.has(PROJECT), false);
});

Deno.test("repositories of projects that are gone are removed", async () => {
  await using bench = await Bench.open();
  const { repositories } = bench;
  for (const projectId of [PROJECT, "gone"]) await repositories.change(projectId, async () => {});
  await repositories.sweep();
  assert.deepEqual([await repositories.has(PROJECT), await repositories.has("gone")], [true, false]);
});

Deno.test("a repository that a restore has made, and so is the server's, is git's again", async () => {
  await using bench = await Bench.open();
  const { repositories } = bench;
  await repositories.change(PROJECT, async () => {});
  const places = ["", "HEAD", "refs", "refs/heads"].map((name) => join(repositories.path(PROJECT), name));
  const owners = () => Promise.all(places.map(async (place) => (await Deno.stat(place)).uid));
  const before = await owners();
  for (const place of places) await Deno.chown(place, Deno.uid(), Deno.gid());
  await repositories.sweep();
  assert.deepEqual(await owners(), before);
});

Deno.test("one push at a time changes a repository, and no more wait for it than a few", async () => {
  await using bench = await Bench.open();
  const { repositories } = bench;
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const order: number[] = [];
  const changes = Array.from({ length: 11 }, (_, index) =>
    repositories.change(PROJECT, async () => {
      order.push(index);
      begin();
      await held;
    }));
  await assert.rejects(repositories.change(PROJECT, () => Promise.resolve()), { code: "overloaded" });
  await repositories.change("another", () => begun);
  assert.deepEqual(order, [0]);
  release();
  await Promise.all(changes);
  assert.deepEqual(order, Array.from({ length: 11 }, (_, index) => index));
});
