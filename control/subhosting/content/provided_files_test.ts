import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ProvidedFiles } from "../../../isolate/mod.ts";
import { SecretBox } from "../../secrets/secret_box.ts";
import { OriginClient } from "../origin/origin_client.ts";
import { answer, silent, status } from "../testing/origin_faults.ts";
import { TestOrigin } from "../testing/test_origin.ts";
import { ContentStore } from "./content_store.ts";
import { FileProvider, type FileProviderOptions } from "./provided_files.ts";

const KEY = "acme/d";
const MAX_DELAY_MS = 100;

/** An origin, a store, and a program's directory. */
class Trial implements AsyncDisposable {
  readonly origin: TestOrigin;
  readonly provider: FileProvider;
  readonly files: ProvidedFiles;
  readonly store: ContentStore;
  /** As its subhoster is told of them. */
  readonly failures: string[] = [];
  readonly #dir: string;
  readonly #client: OriginClient;
  #programs = 0;

  private constructor(
    origin: TestOrigin,
    dir: string,
    store: ContentStore,
    bounds?: Pick<FileProviderOptions, "maxUsedBytes">,
  ) {
    this.#client = new OriginClient({ subhosters: [origin.subhoster] });
    this.origin = origin;
    const { signal } = new AbortController();
    const failed = (_owner: unknown, reason: string) => void this.failures.push(reason);
    this.provider = new FileProvider({ store, client: this.#client, signal, failed, ...bounds });
    this.files = this.provider.filesOf({ key: KEY, deploymentId: "d", origin: () => origin.origin });
    this.#dir = dir;
    this.store = store;
  }

  static async start(
    files?: Record<string, string>,
    bounds?: Pick<FileProviderOptions, "maxUsedBytes">,
  ): Promise<Trial> {
    const deployments = { d: { code: "", files } };
    const origin = await TestOrigin.start({ secret: "s".repeat(32), deployments });
    const dir = await Deno.makeTempDir({ prefix: "isola-provided-" });
    const box = new SecretBox(new Uint8Array(32));
    return new Trial(origin, dir, await ContentStore.open({ dir: join(dir, "content"), box }), bounds);
  }

  /** A directory in which a program has started. */
  begin(): string {
    const dir = join(this.#dir, `program-${this.#programs++}`);
    Deno.mkdirSync(dir);
    this.provider.begin(dir);
    return dir;
  }

  /** The origin's manifest from now on. */
  answerTree(entries: Record<string, unknown>): void {
    const json = JSON.stringify({ entries });
    this.origin.fault = ({ rpc }) => rpc === "read_tree" ? answer(json) : undefined;
  }

  calls(rpc: string): number {
    return this.origin.calls.filter((call) => call.rpc === rpc).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await this.provider.settled();
    await this.store[Symbol.asyncDispose]();
    await this.origin[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}

function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

function changedAt(path: string): number {
  return Deno.lstatSync(path).mtime!.getTime();
}

Deno.test("the first look brings all names and sizes, and no content", async () => {
  await using trial = await Trial.start({ "/a/b/c.txt": "content", "/empty": "" });
  const dir = trial.begin();
  assert.deepEqual([...Deno.readDirSync(join(dir, "files"))], []);
  await Promise.all([trial.files.provide(dir, "/", false), trial.files.provide(dir, "/a", false)]);
  const path = join(dir, "files/a/b/c.txt");
  assert.equal(Deno.statSync(path).size, 7);
  assert.equal(modeOf(path), 0);
  assert.equal(modeOf(join(dir, "files/a/b")), 0o755);
  assert.equal(await Deno.readTextFile(join(dir, "files/empty")), "");
  assert.deepEqual([trial.calls("read_tree"), trial.calls("read_blob")], [1, 0]);
});

Deno.test("content is fetched once for all who ask, and for all isolates of the deployment", async () => {
  await using trial = await Trial.start({ "/a.txt": "same", "/b.txt": "same", "/c.txt": "other" });
  const dirs = [trial.begin(), trial.begin()];
  const asked = dirs.flatMap((dir) => ["/a.txt", "/a.txt", "/b.txt"].map((path) => [dir, path] as const));
  await Promise.all(asked.map(([dir, path]) => trial.files.provide(dir, path, true)));
  for (const [dir, path] of asked) {
    assert.equal(await Deno.readTextFile(join(dir, "files", path)), "same");
    assert.equal(modeOf(join(dir, "files", path)), 0o444);
  }
  assert.deepEqual([trial.calls("read_tree"), trial.calls("read_blob")], [1, 1]);
  assert.equal(modeOf(join(dirs[0]!, "files/c.txt")), 0);
  // Nothing but the files is left.
  assert.deepEqual([...Deno.readDirSync(dirs[0]!)].map(({ name }) => name), ["files"]);
});

Deno.test("a file was changed at the same time for each program, whether its content is there or not", async () => {
  await using trial = await Trial.start({ "/a.txt": "content", "/empty": "" });
  const times: number[] = [];
  for (const dir of [trial.begin(), trial.begin()]) {
    const path = join(dir, "files/a.txt");
    await trial.files.provide(dir, "/a.txt", false);
    times.push(changedAt(path), changedAt(join(dir, "files/empty")));
    await trial.files.provide(dir, "/a.txt", true);
    times.push(changedAt(path));
  }
  assert.equal(new Set(times).size, 1, String(times));
});

Deno.test("of one subhoster one tree is read at a time, and none that is remembered waits for it", async () => {
  await using trial = await Trial.start({ "/a.txt": "content" });
  const { provider, store, files } = trial;
  const dir = trial.begin();
  await files.provide(dir, "/a.txt", true);
  const hold = Promise.withResolvers<void>();
  let reading = 0;
  let most = 0;
  store.tree = async () => {
    most = Math.max(most, ++reading);
    await hold.promise;
    reading--;
    return new Map([["", { kind: "directory" }]]);
  };
  const looks = ["e", "f", "g"].map((deploymentId) =>
    provider.filesOf({ key: `acme/${deploymentId}`, deploymentId, origin: () => trial.origin.origin })
      .provide(trial.begin(), "/", false)
  );
  await files.provide(dir, "/a.txt", true);
  hold.resolve();
  await Promise.all(looks);
  assert.equal(most, 1);
});

Deno.test("isolates of one subhoster have so much at once, whatever is kept of it; who ends makes room", async () => {
  await using trial = await Trial.start({ "/a.txt": "content", "/b.txt": "content" }, { maxUsedBytes: 10 });
  const [one, two] = [trial.begin(), trial.begin()];
  await trial.files.provide(one, "/a.txt", true);
  const full = { message: 'Cannot read "/b.txt": other deployments have too many files in use' };
  await assert.rejects(trial.files.provide(two, "/b.txt", true), full);
  await trial.provider.end(one);
  await trial.files.provide(two, "/b.txt", true);
  assert.equal(await Deno.readTextFile(join(two, "files/b.txt")), "content");
});

Deno.test("links lead to files of the tree, and to nothing else", async () => {
  await using trial = await Trial.start({ "/real/f.txt": "content" });
  const file = { kind: "file", size: 7, hash: createHash("sha256").update("content").digest("hex") };
  trial.answerTree({
    "/real/f.txt": file,
    "/link": { kind: "symlink", target: "folder/f.txt" },
    "/folder": { kind: "symlink", target: "/real" },
    "/loop": { kind: "symlink", target: "loop" },
    "/gone": { kind: "symlink", target: "nowhere" },
  });
  const dir = trial.begin();
  await trial.files.provide(dir, "/link", true);
  assert.equal(await Deno.readTextFile(join(dir, "files/link")), "content");
  assert.equal(await Deno.readTextFile(join(dir, "files/real/f.txt")), "content");
  const nowhere = [
    "/loop",
    "/gone",
    "/real",
    "/real/f.txt/x",
    "/../../etc/passwd",
    "/a\0b",
    "/__proto__",
    "",
  ];
  for (const path of nowhere) await trial.files.provide(dir, path, true);
  assert.equal(trial.calls("read_blob"), 1);
  assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["files"]);
});

Deno.test("an origin without files has none", async () => {
  await using trial = await Trial.start();
  trial.origin.fault = () => status(404);
  const dir = trial.begin();
  await trial.files.provide(dir, "/a.txt", true);
  await trial.files.provide(trial.begin(), "/a.txt", true);
  assert.deepEqual([...Deno.readDirSync(join(dir, "files"))], []);
  assert.equal(trial.calls("read_tree"), 1);
});

Deno.test("what cannot be fetched is an error that tells nothing of the origin, whose subhoster is told; it is tried again", async () => {
  await using trial = await Trial.start({ "/a.txt": "content" });
  const dir = trial.begin();
  const failure = async () => {
    const message = await trial.files.provide(dir, "/a.txt", true).then(
      () => "",
      (error: Error) => error.message,
    );
    assert.ok(!message.includes("127.0.0.1"), message);
    return message;
  };
  trial.origin.fault = () => status(403);
  assert.equal(await failure(), 'Cannot read "/a.txt": its origin does not give it');
  trial.origin.fault = ({ rpc }) => rpc === "read_blob" ? answer("short") : undefined;
  assert.equal(await failure(), 'Cannot read "/a.txt": its origin does not give it');
  trial.origin.fault = ({ rpc }) => rpc === "read_blob" ? status(404) : undefined;
  assert.equal(await failure(), 'Cannot read "/a.txt": its origin does not have it');
  assert.equal(trial.failures.length, 1);
  assert.match(trial.failures[0]!, /^Cannot GET read_tree of deployment "d" at "http:.*: it answered 403/);
  trial.origin.fault = () => undefined;
  await trial.files.provide(dir, "/a.txt", true);
  assert.equal(await Deno.readTextFile(join(dir, "files/a.txt")), "content");
});

Deno.test("nothing is put where a program has ended, whatever was under way", async () => {
  await using trial = await Trial.start({ "/a.txt": "content" });
  const dir = trial.begin();
  await trial.files.provide(dir, "/", false);
  const asked = Promise.withResolvers<void>();
  trial.origin.fault = () => {
    asked.resolve();
    return silent;
  };
  const under = trial.files.provide(dir, "/a.txt", true).catch(() => {});
  await asked.promise;
  await trial.provider.end(dir);
  await Deno.remove(dir, { recursive: true });
  await assert.rejects(trial.files.provide(dir, "/a.txt", true), /the program has ended/);
  await trial.origin.stop();
  await under;
  assert.throws(() => Deno.lstatSync(dir), Deno.errors.NotFound);
});

Deno.test("thousands of files do not hold up the server", async () => {
  await using trial = await Trial.start();
  const file = { kind: "file", size: 1, hash: "h" };
  trial.answerTree(
    Object.fromEntries(Array.from({ length: 3_000 }, (_, at) => [`/${at % 100}/${at}.txt`, file])),
  );
  const dir = trial.begin();
  let longest = 0;
  const startedAt = performance.now();
  let last = startedAt;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  await trial.files.provide(dir, "/", false);
  clearInterval(timer);
  const tookMs = performance.now() - startedAt;
  assert.equal([...Deno.readDirSync(join(dir, "files/7"))].length, 30);
  assert.ok(longest < Math.max(MAX_DELAY_MS, tookMs / 2), `${longest} of ${tookMs} ms`);
});
