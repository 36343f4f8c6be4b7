import assert from "node:assert/strict";
import { pageLinks } from "./paging.ts";
import { startTestApi } from "./testing/test_api.ts";

const NAMES = ["alpha", "beta", "delta", "epsilon", "gamma"];

Deno.test("a list is paged by Link headers until its end", async () => {
  await using api = await startTestApi();
  for (const name of NAMES) await api.project(name);
  const seen: string[] = [];
  let url: string | undefined = `/v1/organizations/${api.organizationId}/projects?limit=2&sort=name`;
  while (url !== undefined) {
    const { body, headers } = await api.call("GET", url);
    seen.push(...body.map((project: { name: string }) => project.name));
    url = /<([^>]+)>; rel="next"/.exec(headers.get("link")!)?.[1];
  }
  assert.deepEqual(seen, NAMES);
});

Deno.test("links are those that exist, and keep the other parameters", () => {
  const listed = { items: [], total: 45 };
  const options = { limit: 20, q: null, sort: "name", order: "asc" } as const;
  const links = (page: number, total = 45) =>
    pageLinks("http://h/v1/x?q=a%20b&page=9", { ...options, page }, { ...listed, total });
  const link = (page: number, rel: string) => `<http://h/v1/x?q=a+b&page=${page}>; rel="${rel}"`;
  assert.equal(links(1), [link(2, "next"), link(1, "first"), link(3, "last")].join(", "));
  assert.equal(
    links(2),
    [link(3, "next"), link(1, "prev"), link(1, "first"), link(3, "last")].join(", "),
  );
  assert.equal(links(3), [link(2, "prev"), link(1, "first"), link(3, "last")].join(", "));
  assert.equal(links(9), [link(3, "prev"), link(1, "first"), link(3, "last")].join(", "));
  assert.equal(links(1, 0), [link(1, "first"), link(1, "last")].join(", "));
});

Deno.test("lists are searched and sorted, and say what they do not know", async () => {
  await using api = await startTestApi();
  for (const name of NAMES) await api.project(name);
  const list = async (query: string) =>
    (await api.call("GET", `/v1/organizations/${api.organizationId}/projects?${query}`)).body;
  const names = async (query: string) => (await list(query)).map((project: { name: string }) => project.name);
  assert.deepEqual(await names("q=lt"), ["delta"]);
  assert.deepEqual(await names("sort=name&order=desc&limit=2"), ["gamma", "epsilon"]);
  assert.deepEqual(await names("sort=&page=&q="), NAMES);
  assert.deepEqual(
    (await list("page=0&limit=101&sort=age")).message,
    'Invalid request: "page": Too small: expected number to be >=1; ' +
      '"limit": Too big: expected number to be <=100; ' +
      '"sort": Invalid option: expected one of "name"|"updated_at"',
  );
});
