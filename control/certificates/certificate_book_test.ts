import assert from "node:assert/strict";
import type { Certificate, CertificateChanges } from "../../runner/mod.ts";
import { openStore } from "../store/mod.ts";
import { CertificateBook, type CertificateSource, type SourcedCertificate } from "./certificate_book.ts";

const DAY_MS = 86_400_000;

/** A source whose certificates the test sets. */
class Source implements CertificateSource {
  #all: readonly SourcedCertificate[];
  readonly listeners = new Set<() => void>();

  constructor(...all: SourcedCertificate[]) {
    this.#all = all;
  }

  all() {
    return this.#all;
  }

  onChanged(listener: () => void) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(...all: SourcedCertificate[]) {
    this.#all = all;
    for (const listener of this.listeners) listener();
  }
}

/** A certificate whose chain says who it is. */
function material(chain: string, names: string[], options: {
  source?: "acme" | "manual";
  /** From now. */
  untilMs?: number;
} = {}): SourcedCertificate {
  const { source, untilMs = DAY_MS } = options;
  return {
    names,
    chain,
    privateKey: `key of ${chain}`,
    cipher: "ec",
    notBefore: new Date(Date.now() - DAY_MS).toISOString(),
    expiresAt: new Date(Date.now() + untilMs).toISOString(),
    source,
  };
}

function shown(certificates: readonly Certificate[]): Record<string, string> {
  return Object.fromEntries(certificates.flatMap(({ names, chain }) => names.map((name) => [name, chain])));
}

/** Follows a book as a runner does: applies its changes to what it began with. */
class Follower {
  readonly changes: CertificateChanges[] = [];
  readonly #installed: Map<string, Certificate>;
  #wake = () => {};

  constructor(book: CertificateBook) {
    this.#installed = new Map(book.current.map((certificate) => [certificate.id, certificate]));
    book.onChange((changes) => {
      this.changes.push(changes);
      for (const id of changes.removed) assert(this.#installed.delete(id));
      for (const certificate of changes.installed) this.#installed.set(certificate.id, certificate);
      this.#wake();
      return Promise.resolve();
    });
  }

  get table(): Record<string, string> {
    return shown([...this.#installed.values()]);
  }

  async until(table: Record<string, string>): Promise<void> {
    while (JSON.stringify(this.table) !== JSON.stringify(table)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

Deno.test("a name in several certificates is served with that of the first source, uploaded before ACME, then the longest", () => {
  const cases: [SourcedCertificate[], SourcedCertificate[], string][] = [
    [[material("own", ["a.test"])], [
      material("other", ["a.test"], { source: "manual", untilMs: 9 * DAY_MS }),
    ], "own"],
    [[], [
      material("acme", ["a.test"], { source: "acme", untilMs: 9 * DAY_MS }),
      material("up", ["a.test"], { source: "manual" }),
    ], "up"],
    [[], [
      material("old", ["a.test"], { source: "acme" }),
      material("new", ["a.test"], { source: "acme", untilMs: 9 * DAY_MS }),
    ], "new"],
  ];
  for (const [first, second, expected] of cases) {
    using book = new CertificateBook([new Source(...first), new Source(...second)]);
    assert.deepEqual(shown(book.current), { "a.test": expected });
    assert.equal(book.current.length, 1);
  }
});

Deno.test("a name is in one certificate at most: the other keeps the names that it has alone", () => {
  using book = new CertificateBook([
    new Source(material("own", ["a.test", "*.a.test"])),
    new Source(material("acme", ["a.test", "b.test"], { source: "acme" })),
  ]);
  assert.deepEqual(shown(book.current), { "a.test": "own", "*.a.test": "own", "b.test": "acme" });
});

Deno.test("runners are told what is new and what is gone, and of nothing that stays", async () => {
  const kept = material("kept", ["kept.test"]);
  const source = new Source(kept, material("old", ["a.test"]));
  using book = new CertificateBook([source]);
  const follower = new Follower(book);
  source.set(material("new", ["a.test"]), material("more", ["b.test"]), kept);
  await book.applied();
  assert.deepEqual(follower.table, { "kept.test": "kept", "a.test": "new", "b.test": "more" });
  assert.deepEqual(shown(follower.changes[0]!.installed), { "a.test": "new", "b.test": "more" });
  assert.equal(follower.changes[0]!.removed.length, 1);
  source.set({ ...kept }, material("new", ["a.test"]), material("more", ["b.test"]));
  assert.equal(follower.changes.length, 1);
  source.set();
  assert.deepEqual(follower.table, {});
});

Deno.test("a certificate that loses a name to another is replaced by itself with fewer names", () => {
  const wide = material("wide", ["a.test", "b.test"], { source: "acme" });
  const source = new Source(wide);
  using book = new CertificateBook([source]);
  const follower = new Follower(book);
  source.set(wide, material("up", ["a.test"], { source: "manual" }));
  assert.deepEqual(follower.table, { "b.test": "wide", "a.test": "up" });
  source.set(wide);
  assert.deepEqual(follower.table, { "a.test": "wide", "b.test": "wide" });
});

Deno.test("a certificate goes when it expires, and its names to the next best", async () => {
  using book = new CertificateBook([
    new Source(
      material("short", ["a.test"], { untilMs: 1000 }),
      material("gone", ["c.test"], { untilMs: -1 }),
    ),
    new Source(material("long", ["a.test"])),
  ]);
  const follower = new Follower(book);
  assert.deepEqual(follower.table, { "a.test": "short" });
  await follower.until({ "a.test": "long" });
  assert.equal(book.current.length, 1);
});

Deno.test("applied waits for the runners, also for one that fails", async () => {
  const source = new Source();
  using book = new CertificateBook([source]);
  const { promise, resolve } = Promise.withResolvers<void>();
  let isApplied = false;
  book.onChange(async () => {
    await promise;
    isApplied = true;
  });
  book.onChange(() => Promise.reject(new Error("a runner has gone")));
  source.set(material("a", ["a.test"]));
  const applied = book.applied();
  resolve();
  await applied;
  assert(isApplied);
});

Deno.test("after its end nobody is listened to", () => {
  const source = new Source(material("a", ["a.test"], { untilMs: 60_000 }));
  const book = new CertificateBook([source]);
  book[Symbol.dispose]();
  assert.equal(source.listeners.size, 0);
});

Deno.test("what the store keeps is published as it comes, is replaced and goes", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-certificate-book-" });
  try {
    using store = await openStore(dir);
    using book = new CertificateBook([store.certificates]);
    const follower = new Follower(book);
    const keep = (chain: string) =>
      store.certificates.put({ material: material(chain, ["a.test"]), domainId: null, source: "acme" });
    keep("one");
    assert.deepEqual(follower.table, { "a.test": "one" });
    const { id } = keep("two");
    assert.deepEqual(follower.table, { "a.test": "two" });
    using again = new CertificateBook([store.certificates]);
    assert.deepEqual(again.current, book.current);
    store.certificates.remove(id);
    assert.deepEqual(follower.table, {});
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
