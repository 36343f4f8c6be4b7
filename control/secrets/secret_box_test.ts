import assert from "node:assert/strict";
import { SecretBox } from "./secret_box.ts";

const KEY = new Uint8Array(32).fill(7);

Deno.test("what is sealed is opened as it was, and is never sealed the same way twice", () => {
  const box = new SecretBox(KEY);
  for (const text of ["", "secret", "grüße 🦕\u2028\0", "x".repeat(100_000)]) {
    const sealed = box.seal(text, "place");
    assert.match(sealed, /^v1\.[\w-]+$/);
    assert.equal(box.open(sealed, "place"), text);
    assert.notEqual(box.seal(text, "place"), sealed);
  }
});

Deno.test("what is sealed cannot be opened with another key, elsewhere, or changed", () => {
  const box = new SecretBox(KEY);
  const sealed = box.seal("secret", "variable A");
  const flipped = sealed.slice(0, -2) + (sealed.at(-2) === "A" ? "B" : "A") + sealed.at(-1);
  const cases: [SecretBox, string, string][] = [
    [new SecretBox(new Uint8Array(32)), sealed, "variable A"],
    [box, sealed, "variable B"],
    [box, flipped, "variable A"],
    [box, sealed.slice(0, 12), "variable A"],
    [box, "v1.", "variable A"],
    [box, "secret", "variable A"],
    [box, sealed.replace("v1.", "v2."), "variable A"],
  ];
  for (const [opener, text, place] of cases) {
    assert.throws(() => opener.open(text, place), (error: Error) => {
      assert.equal(
        error.message,
        `Cannot open the secret "${place}": it was not sealed with this key as that`,
      );
      return true;
    });
  }
});

Deno.test("a key of another length is refused", () => {
  assert.throws(() => new SecretBox(new Uint8Array(16)), TypeError);
});
