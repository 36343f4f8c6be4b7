import assert from "node:assert/strict";
import { formatDotenv, parseDotenv } from "./dotenv.ts";

Deno.test("what is written is read as it was, whatever the value", () => {
  const values = [
    "plain/path_1.2:3@x%+,=-",
    "",
    " edges ",
    "it's",
    'say "no"',
    "`both` 'kinds'",
    "two\nlines\n",
    "a=b #c",
    "back\\nslash\\",
    "$HOME ${X}",
    "grüße 🦕",
    "-----BEGIN KEY-----\nA'B\n-----END KEY-----\n",
    "export X=1",
  ];
  const variables = values.map((value, index) => ({ name: `V${index}`, value }));
  const { text, hidden, unwritable } = formatDotenv(variables);
  assert.deepEqual([hidden, unwritable], [[], []]);
  assert.deepEqual(parseDotenv(text), Object.fromEntries(variables.map(({ name, value }) => [name, value])));
});

Deno.test("what is secret and what no such file can have is mentioned, and not set", () => {
  const { text, hidden, unwritable } = formatDotenv([
    { name: "KEY", value: null },
    { name: "QUOTES", value: "'\"`" },
    { name: "RETURN", value: "a\r\nb" },
    { name: "A", value: "1" },
  ]);
  assert.deepEqual([hidden, unwritable], [["KEY"], ["QUOTES", "RETURN"]]);
  assert.deepEqual(parseDotenv(text), { A: "1" });
  assert.match(text, /^# KEY is secret\n/);
});
