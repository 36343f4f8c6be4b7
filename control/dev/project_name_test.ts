import assert from "node:assert/strict";
import { projectName } from "./project_name.ts";

Deno.test("a folder's name becomes a legal project name that still looks like it", () => {
  const cases: [string, string][] = [
    ["/home/me/hello", "hello"],
    ["/home/me/My Shop!", "my-shop"],
    ["/x/_private_", "private"],
    ["/x/ab", "ab-app"],
    ["/x/日本", "app"],
    ["/", "app"],
    ["/x/a-very-long-folder-name-that-does-not-fit", "a-very-long-folder-name-th"],
    ["/x/twenty-five-characters-xx-y", "twenty-five-characters-xx"],
    ["/x/my-abcdefghijkl", "my-abcdefghijkl-app"],
    ["/x/some-longer-abcdefghijkl", "some-longer-abcdefghij-app"],
  ];
  for (const [folder, name] of cases) {
    assert.equal(projectName(folder), name);
    assert.match(name, /^[a-z0-9][a-z0-9-]{1,24}[a-z0-9]$/);
    assert.doesNotMatch(name, /-[a-z0-9]{12}$/);
  }
});
