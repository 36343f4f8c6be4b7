import assert from "node:assert/strict";
import { join } from "node:path";
import { openOwnFiles, type OwnFiles } from "./own_files.ts";
import { issue, type Issued } from "./testing/issue.ts";

const POLL_MS = 20;

/** A folder with a pair, watched. */
class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "isola-own-files-" });
  readonly cert = join(this.path, "site.pem");
  readonly key = join(this.path, "site.key");
  readonly #warnings: string[] = [];
  #files: OwnFiles | undefined;
  #wake = () => {};

  write({ certificate, privateKey }: Issued, folder = this.path) {
    Deno.writeTextFileSync(join(folder, "site.pem"), certificate);
    Deno.writeTextFileSync(join(folder, "site.key"), privateKey);
  }

  async open(pair = { cert: this.cert, key: this.key }): Promise<OwnFiles> {
    this.#files = await openOwnFiles([pair], {
      pollMs: POLL_MS,
      warn: (message) => {
        this.#warnings.push(message);
        this.#wake();
      },
    });
    this.#files.onChanged(() => this.#wake());
    return this.#files;
  }

  get names(): string[] {
    return this.#files!.all()[0]!.names;
  }

  async changed(name: string): Promise<void> {
    while (!this.names.includes(name)) await this.#next();
  }

  async warned(count: number): Promise<string[]> {
    while (this.#warnings.length < count) await this.#next();
    return this.#warnings;
  }

  #next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  async [Symbol.asyncDispose]() {
    await this.#files?.[Symbol.asyncDispose]();
    Deno.removeSync(this.path, { recursive: true });
  }
}

const [first, second] = await Promise.all(["a.test", "b.test"].map((name) => issue({ names: [name] }))) as [
  Issued,
  Issued,
];

Deno.test("a pair is read at the start and again when its files are written", async () => {
  await using folder = new Folder();
  folder.write(first);
  await folder.open();
  assert.deepEqual(folder.names, ["a.test"]);
  folder.write(second);
  await folder.changed("b.test");
});

Deno.test("a link that is swapped, on the file or above it, is noticed", async () => {
  await using folder = new Folder();
  for (const [name, issued] of [["1", first], ["2", second], ["3", first]] as const) {
    Deno.mkdirSync(join(folder.path, name));
    folder.write(issued, join(folder.path, name));
  }
  // As Kubernetes does: the file is a link through "data", which is swapped by a rename.
  Deno.symlinkSync("1", join(folder.path, "data"));
  Deno.symlinkSync("data/site.pem", folder.cert);
  Deno.symlinkSync("data/site.key", folder.key);
  await folder.open();
  Deno.symlinkSync("2", join(folder.path, "new"));
  Deno.renameSync(join(folder.path, "new"), join(folder.path, "data"));
  await folder.changed("b.test");
  // As certbot does: the links themselves lead to other files.
  for (const file of ["site.pem", "site.key"]) {
    Deno.symlinkSync(`3/${file}`, join(folder.path, "new"));
    Deno.renameSync(join(folder.path, "new"), join(folder.path, file));
  }
  await folder.changed("a.test");
});

Deno.test("a changed pair that cannot be used is told of once, and the one before stays until it can", async () => {
  await using folder = new Folder();
  folder.write(first);
  await folder.open();
  Deno.writeTextFileSync(folder.cert, second.certificate);
  assert.match(
    (await folder.warned(1))[0]!,
    /^Cannot use certificate ".*site\.pem" with key ".*site\.key": the private key is not that of .*; the one before is still served, until "2\d{3}-.*Z"$/,
  );
  Deno.removeSync(folder.key);
  assert.match((await folder.warned(2))[1]!, /site\.key" cannot be read: /);
  assert.deepEqual(folder.names, ["a.test"]);
  folder.write(second);
  await folder.changed("b.test");
  assert.equal((await folder.warned(2)).length, 2);
});

Deno.test("a changed pair that cannot be used yet is used when it can, without a further change", async () => {
  await using folder = new Folder();
  folder.write(first);
  await folder.open();
  const notBefore = Date.now() + 2000;
  folder.write(await issue({ names: ["b.test"], notBefore }));
  assert.match((await folder.warned(1))[0]!, /is not valid before/);
  await folder.changed("b.test");
  assert.equal((await folder.warned(1)).length, 1);
});

Deno.test("a start with a pair that cannot be used is refused, with its paths", async () => {
  await using folder = new Folder();
  await assert.rejects(
    folder.open(),
    /^CertificateError: Cannot use certificate ".*site\.pem" with key ".*": ".*" cannot be read: /,
  );
  folder.write(await issue({ names: ["a.test"], notAfter: Date.now() - 1000 }));
  await assert.rejects(
    folder.open(),
    /^CertificateError: Cannot use certificate ".*site\.pem" with key ".*": that of "CN=test" expired/,
  );
});

Deno.test("one file may hold both", async () => {
  await using folder = new Folder();
  Deno.writeTextFileSync(folder.cert, first.privateKey + first.certificate);
  await folder.open({ cert: folder.cert, key: folder.cert });
  assert.deepEqual(folder.names, ["a.test"]);
});
