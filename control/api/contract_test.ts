/** Every operation served here answers in the shapes of the reference document. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { TestDnsServer } from "../domains/testing/dns_server.ts";
import { type Answer, startTestApi } from "./testing/test_api.ts";

interface Schema {
  $ref?: string;
  type?: string;
  nullable?: boolean;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  enum?: string[];
  format?: string;
  maxLength?: number;
  oneOf?: Schema[];
  allOf?: Schema[];
  example?: { fields: unknown[]; values: unknown[][] };
}

interface Operation {
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

const document: {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
} = JSON.parse(
  await Deno.readTextFile(
    join(import.meta.dirname!, "testing", "testdata", "deno-deploy-api-v1.openapi.json"),
  ),
);

const FORMATS: Record<string, RegExp> = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
};

/** What is wrong with a value, by the parts of JSON Schema that the document uses; none = it matches. */
function problems(schema: Schema, value: unknown, at = "$"): string[] {
  if (schema.$ref !== undefined) {
    return problems(document.components.schemas[schema.$ref.split("/").at(-1)!]!, value, at);
  }
  if (value === null) return schema.nullable === true ? [] : [`${at} is null`];
  if (schema.oneOf !== undefined) {
    const matching = schema.oneOf.filter((one) => problems(one, value, at).length === 0);
    return matching.length > 0 ? [] : [`${at} matches none of oneOf`];
  }
  const found = (schema.allOf ?? []).flatMap((one) => problems(one, value, at));
  if (schema.type === "object") found.push(...objectProblems(schema, value, at));
  else if (schema.type === "array") {
    if (!Array.isArray(value)) return [`${at} is no array`];
    found.push(...value.flatMap((item, index) => problems(schema.items!, item, `${at}[${index}]`)));
  } else if (schema.type !== undefined) {
    const type = schema.type === "integer" ? "number" : schema.type;
    const actual: string = typeof value;
    if (actual !== type) found.push(`${at} is ${actual}, not ${type}`);
  }
  if (schema.enum !== undefined && !schema.enum.includes(String(value))) {
    found.push(`${at} is not in its enum`);
  }
  const format = FORMATS[schema.format ?? ""];
  if (format !== undefined && !format.test(String(value))) found.push(`${at} is no ${schema.format}`);
  if (schema.maxLength !== undefined && String(value).length > schema.maxLength) found.push(`${at} is long`);
  return found;
}

function objectProblems(schema: Schema, value: unknown, at: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${at} is no object`];
  const object = value as Record<string, unknown>;
  const missing = (schema.required ?? []).filter((name) => !(name in object));
  return [
    ...missing.map((name) => `${at}.${name} is missing`),
    ...Object.entries(object).flatMap(([name, member]) => {
      const memberSchema = schema.properties?.[name] ?? schema.additionalProperties;
      return memberSchema === undefined ? [] : problems(memberSchema, member, `${at}.${name}`);
    }),
  ];
}

/** Checks an answer against the response that the document gives to that status. */
function conforms(method: string, path: string, answer: Answer): void {
  const operation = document.paths[path]?.[method];
  assert.ok(operation, `${method} ${path} is not in the document`);
  const response = operation.responses[String(answer.status)];
  assert.ok(response, `${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  assert.match(answer.headers.get("x-deno-ray") ?? "", /./);
  const schema = response.content?.["application/json"]?.schema;
  if (schema === undefined) assert.equal(answer.body, "");
  else {
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.deepEqual(problems(schema, answer.body), [], `${method} ${path}`);
  }
}

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

Deno.test("the check finds what is wrong with a shape", () => {
  const schema = { $ref: "#/components/schemas/Deployment" };
  const good = {
    id: "abcde12vwxyz",
    projectId: UNKNOWN,
    status: "success",
    databases: {},
    createdAt: "2021-08-01T00:00:00Z",
    updatedAt: "2021-08-01T00:00:00Z",
  };
  assert.deepEqual(problems(schema, good), []);
  for (const bad of [{ id: 1 }, { status: "done" }, { createdAt: "today" }, { domains: [1] }, { id: null }]) {
    assert.equal(problems(schema, { ...good, ...bad }).length, 1, JSON.stringify(bad));
  }
  assert.deepEqual(problems(schema, {}).length, 6);
});

Deno.test("organizations and projects are as the document says", async () => {
  await using api = await startTestApi();
  const organization = `/v1/organizations/${api.organizationId}`;
  const [only] = (await api.call("GET", "/v1/organizations")).body;
  assert.equal(only.id, api.organizationId);
  conforms("get", "/organizations/{organizationId}", await api.call("GET", organization));
  conforms(
    "get",
    "/organizations/{organizationId}",
    await api.call("GET", `/v1/organizations/${UNKNOWN}`),
  );

  const projects = "/organizations/{organizationId}/projects";
  const created = await api.call("POST", `${organization}/projects`, { name: "shop", description: "d" });
  conforms("post", projects, created);
  conforms("post", projects, await api.call("POST", `${organization}/projects`, {}));
  const taken = await api.call("POST", `${organization}/projects`, { name: "shop" });
  assert.deepEqual([taken.status, taken.body.code], [400, "projectNameTaken"]);
  conforms("post", projects, taken);
  conforms("get", projects, await api.call("GET", `${organization}/projects`));
  conforms("get", projects, await api.call("GET", `${organization}/projects?page=0`));
  conforms("get", projects, await api.call("GET", `/v1/organizations/${UNKNOWN}/projects`));

  const project = `/v1/projects/${created.body.id}`;
  conforms("get", "/projects/{projectId}", await api.call("GET", project));
  // In lower case, as the official client sends it.
  const renamed = await api.call("patch", project, { name: "store", description: null });
  conforms("patch", "/projects/{projectId}", renamed);
  assert.deepEqual([renamed.body.name, renamed.body.description], ["store", "d"]);
  conforms("patch", "/projects/{projectId}", await api.call("PATCH", project, { name: "-" }));
  conforms("delete", "/projects/{projectId}", await api.call("DELETE", project));
  for (const method of ["GET", "PATCH", "DELETE"]) {
    const gone = await api.call(method, project, method === "PATCH" ? {} : undefined);
    assert.deepEqual([gone.status, gone.body.code], [404, "projectNotFound"]);
    conforms(method.toLowerCase(), "/projects/{projectId}", gone);
  }
});

Deno.test("domains are as the document says", async () => {
  await using dns = new TestDnsServer();
  await using api = await startTestApi({ nameServers: [dns.address] });
  const deploymentId = await api.deployment(await api.project("shop"));
  api.succeed(deploymentId);
  const list = "/organizations/{organizationId}/domains";
  const domains = `/v1/organizations/${api.organizationId}/domains`;
  const created = await api.call("POST", domains, { domain: "foo.example.com" });
  conforms("post", list, created);
  conforms("post", list, await api.call("POST", domains, { domain: "foo" }));
  conforms(
    "post",
    list,
    await api.call("POST", `/v1/organizations/${UNKNOWN}/domains`, { domain: "a.example" }),
  );
  conforms("get", list, await api.call("GET", `${domains}?sort=domain`));
  conforms("get", list, await api.call("GET", `${domains}?sort=age`));
  conforms("get", list, await api.call("GET", `/v1/organizations/${UNKNOWN}/domains`));

  const path = "/domains/{domainId}";
  const domain = `/v1/domains/${created.body.id}`;
  /** An operation that verifies first, before and after it can. */
  const verifying: [string, string, unknown?][] = [
    ["POST", "/verify"],
    ["PATCH", "", { deploymentId }],
    ["POST", "/certificates/provision"],
  ];
  for (const [method, suffix, body] of verifying) {
    const refused = await api.call(method, domain + suffix, body);
    assert.deepEqual([refused.status, refused.body.code], [400, "domainNotVerified"]);
    conforms(method.toLowerCase(), path + suffix, refused);
  }
  const { token } = created.body;
  dns.records.set("_isola.foo.example.com", { TXT: [`isola-verification=${token}`] });
  for (const [method, suffix, body] of verifying) {
    conforms(method.toLowerCase(), path + suffix, await api.call(method, domain + suffix, body));
  }
  const upload = await api.call("POST", `${domain}/certificates`, { certificateChain: "x", privateKey: "x" });
  assert.deepEqual([upload.status, upload.body.code], [400, "certificateInvalid"]);
  conforms("post", `${path}/certificates`, upload);
  const read = await api.call("GET", domain);
  conforms("get", path, read);
  assert.deepEqual([read.body.isValidated, read.body.deploymentId], [true, deploymentId]);
  conforms("get", list, await api.call("GET", domains));
  conforms("patch", path, await api.call("PATCH", domain, { deploymentId: null }));
  conforms("delete", path, await api.call("DELETE", domain));
  for (const [method, suffix] of [["GET", ""], ["PATCH", ""], ["DELETE", ""], ["POST", "/verify"]] as const) {
    const gone = await api.call(method, domain + suffix, method === "PATCH" ? { deploymentId } : undefined);
    assert.deepEqual([gone.status, gone.body.code], [404, "domainNotFound"]);
    conforms(method.toLowerCase(), path + suffix, gone);
  }
});

Deno.test("analytics are as the document says", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const used = {
    requests: 3,
    cpuMs: 1500,
    uptimeMs: 1000,
    ingressBytes: 10,
    egressBytes: 20,
    memoryBytes: 2 ** 26,
  };
  api.usage.add(await api.deployment(projectId), used);
  const { fields, values } = document.components.schemas.Analytics!.example!;
  const scopes = [["/projects/{projectId}", projectId], [
    "/organizations/{organizationId}",
    api.organizationId,
  ]];
  for (const [scope = "", id = ""] of scopes) {
    const path = `${scope}/analytics`;
    const call = (query: string, of = id) =>
      api.call("GET", `/v1${path.replace(/\{\w+\}/, of)}?${query}`.replaceAll("+", "%2B"));
    const day = await call("");
    conforms("get", path, day);
    assert.deepEqual(day.body.fields, fields);
    assert.equal(day.body.values.length, 96);
    assert.ok(day.body.values.every((row: unknown[]) => row.length === values[0]!.length));
    const busy = day.body.values.filter((row: unknown[]) => row[1] !== 0);
    assert.deepEqual(busy.map((row: unknown[]) => row.slice(1)), [[
      3,
      1.5,
      1,
      2 ** 26,
      10,
      20,
      0,
      0,
      0,
      0,
      0,
    ]]);

    const past = await call("since=2026-08-01T02:00:00+02:00&until=2026-08-01T00:30:00Z");
    conforms("get", path, past);
    assert.deepEqual(past.body.values.map(([time]: string[]) => time), [
      "2026-08-01T00:00:00.000Z",
      "2026-08-01T00:15:00.000Z",
    ]);
    conforms("get", path, await call("", UNKNOWN));
    for (
      const query of [
        "since=yesterday",
        "until=2026-08-01",
        "since=2030-01-01T00:00:00Z&until=2029-01-01T00:00:00Z",
      ]
    ) {
      const refused = await call(query);
      assert.deepEqual([refused.status, refused.body.code], [400, "badRequest"]);
      assert.match(refused.body.message, /^Invalid request: "(since|until)"/);
      conforms("get", path, refused);
    }
  }
  const organization = `/v1/organizations/${api.organizationId}/analytics`;
  const twoDays = "since=2026-08-01T00:00:00Z&until=2026-08-02T00:00:01Z";
  const refused = await api.call("GET", `${organization}?${twoDays}`);
  assert.match(refused.body.message, /more than 24 hours apart/);
  conforms("get", "/organizations/{organizationId}/analytics", refused);
  const project = await api.call("GET", `/v1/projects/${projectId}/analytics?${twoDays}`);
  assert.equal(project.status, 200);
});

Deno.test("deployments and their logs are as the document says", async () => {
  await using api = await startTestApi();
  const projectId = await api.project("shop");
  const deployments = `/v1/projects/${projectId}/deployments`;
  const example = {
    entryPointUrl: "main.ts",
    importMapUrl: null,
    lockFileUrl: null,
    compilerOptions: null,
    assets: {
      "main.ts": { kind: "file", content: "Deno.serve(() => new Response())", encoding: "utf-8" },
      "images/cat1.png": { kind: "file", content: "iVBORw0KGgo=", encoding: "base64" },
      "symlink.png": { kind: "symlink", target: "images/cat1.png" },
    },
    envVars: { MY_ENV: "hey" },
    description: "My first deployment",
  };
  const path = "/projects/{projectId}/deployments";
  const created = await api.call("POST", deployments, example);
  conforms("post", path, created);
  assert.equal(created.body.status, "pending");
  assert.deepEqual(api.submitted, [created.body.id]);
  conforms("post", path, await api.call("POST", deployments, { ...example, assets: {} }));
  conforms("post", path, await api.call("POST", `/v1/projects/${UNKNOWN}/deployments`, example));

  const deployment = `/v1/deployments/${created.body.id}`;
  api.logs.build.append(created.body.id, { level: "info", message: "Downloaded" });
  api.succeed(created.body.id);
  api.logs.app.append(created.body.id, [
    { time: "2030-08-01T00:00:00Z", level: "error", message: "m", region: "gcp-asia-east1" },
  ]);
  conforms("get", path, await api.call("GET", deployments));
  const read = await api.call("GET", deployment);
  conforms("get", "/deployments/{deploymentId}", read);
  assert.equal(read.body.description, "My first deployment");
  const buildLogs = await api.call("GET", `${deployment}/build_logs`);
  conforms("get", "/deployments/{deploymentId}/build_logs", buildLogs);
  assert.deepEqual(buildLogs.body, [{ level: "info", message: "Downloaded" }]);
  for (
    const [query, count] of [["since=2030-01-01T00:00:00Z", 1], ["until=2030-01-01T00:00:00%2B01:00", 0]]
  ) {
    const appLogs = await api.call("GET", `${deployment}/app_logs?${query}`);
    conforms("get", "/deployments/{deploymentId}/app_logs", appLogs);
    assert.equal(appLogs.body.length, count);
  }
  conforms(
    "get",
    "/deployments/{deploymentId}/app_logs",
    await api.call("GET", `${deployment}/app_logs?limit=10001`),
  );
  conforms("delete", "/deployments/{deploymentId}", await api.call("DELETE", deployment));
  for (const suffix of ["", "/build_logs", "/app_logs"]) {
    conforms(
      "get",
      `/deployments/{deploymentId}${suffix}`,
      await api.call("GET", `${deployment}${suffix}`),
    );
  }
});
