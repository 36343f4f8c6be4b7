import assert from "node:assert/strict";
import { join } from "node:path";
import type { Manifest } from "../model.ts";
import { materialize } from "./materialize.ts";

async function withBlobs(
  test: (dir: string, blob: (name: string) => string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-materialize-" });
  try {
    for (const name of ["a", "b"]) {
      await Deno.writeTextFile(join(dir, name), `content of ${name}`, { mode: 0o444 });
    }
    await Deno.mkdir(join(dir, "out"));
    await test(join(dir, "out"), (name) => join(dir, name));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const file = (sha256: string) => ({ kind: "file", sha256, size: 12 }) as const;
const symlink = (target: string) => ({ kind: "symlink", target }) as const;

Deno.test("Files are hard links to their blobs, folders and symlinks are made", async () => {
  await withBlobs(async (out, blob) => {
    const files: Manifest = {
      "main.ts": file("a"),
      "deep/er/b.ts": file("b"),
      "deep/link.ts": symlink("er/b.ts"),
      "up/link.ts": symlink("../main.ts"),
    };
    await materialize(files, out, blob);
    assert.equal(Deno.statSync(join(out, "main.ts")).ino, Deno.statSync(blob("a")).ino);
    assert.equal(Deno.readTextFileSync(join(out, "deep/link.ts")), "content of b");
    assert.equal(Deno.readTextFileSync(join(out, "up/link.ts")), "content of a");
    assert.equal(Deno.readLinkSync(join(out, "up/link.ts")), "../main.ts");
  });
});

Deno.test("Whatever the server's umask is, others may read and nobody but the server may write", async (t) => {
  await withBlobs(async (out, blob) => {
    for (const writable of [false, true]) {
      await t.step(writable ? "copies" : "links", async () => {
        const dir = join(out, String(writable));
        Deno.mkdirSync(dir);
        const mode = (path: string) => Deno.statSync(join(dir, path)).mode! & 0o7777;
        const umask = Deno.umask(0o077);
        try {
          await materialize({ "a/b/c": file("a") }, dir, blob, { writable });
        } finally {
          Deno.umask(umask);
        }
        assert.deepEqual([mode("a"), mode("a/b")], [0o755, 0o755]);
        assert.equal(mode("a/b/c"), writable ? 0o644 : 0o444);
      });
    }
  });
});

Deno.test("Writable files are copies: writing to them leaves the blob as it is", async () => {
  await withBlobs(async (out, blob) => {
    await materialize({ "main.ts": file("a") }, out, blob, { writable: true });
    const copy = join(out, "main.ts");
    assert.equal(Deno.statSync(copy).mode! & 0o777, 0o644);
    await Deno.writeTextFile(copy, "changed");
    assert.equal(Deno.readTextFileSync(blob("a")), "content of a");
  });
});

Deno.test("A manifest that could be followed out of the folder is refused before anything is made", async (t) => {
  const cases: Record<string, Manifest> = {
    "a path upwards": { "../a": file("a") },
    "an absolute path": { "/tmp/a": file("a") },
    "a segment upwards": { "x/../../a": file("a") },
    "an empty segment": { "x//a": file("a") },
    "a backslash": { "x\\a": file("a") },
    "a NUL": { "x\0": file("a") },
    "a file below a symlink": { "x": symlink("."), "x/a": file("a") },
    "a file below a file": { "x": file("a"), "x/y/a": file("a") },
    "an absolute symlink": { "x": symlink("/etc") },
    "a symlink upwards": { "x/y": symlink("../../etc") },
    "a symlink that goes up from where another leads": {
      "a/b/up": symlink("../../z"),
      "out": symlink("a/b/up/../.."),
    },
    "an empty symlink": { "x": symlink("") },
  };
  for (const [name, files] of Object.entries(cases)) {
    await t.step(name, () =>
      withBlobs(async (out, blob) => {
        await assert.rejects(materialize(files, out, blob), TypeError);
        assert.deepEqual([...Deno.readDirSync(out)], []);
      }));
  }
});

Deno.test("A blob that is not there is an error", async () => {
  await withBlobs(async (out, blob) => {
    await assert.rejects(materialize({ "main.ts": file("none") }, out, blob), Deno.errors.NotFound);
  });
});

Deno.test("The event loop turns while many files are linked", async () => {
  await withBlobs(async (out, blob) => {
    const files = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, n) => [`d${n % 50}/f${n}`, file("a")]),
    );
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await materialize(files, out, blob);
    clearInterval(timer);
    assert.ok(turns > 1, `${turns} turns`);
    assert.equal([...Deno.readDirSync(join(out, "d7"))].length, 100);
  });
});
