import assert from "node:assert/strict";
import type { SubhostedLog } from "../model.ts";
import { openStore } from "../store/mod.ts";
import { deploymentResource } from "./deployment_resource.ts";
import { MAX_QUEUE } from "./line_writer.ts";
import { openLogs } from "./log_store.ts";
import type { OtlpRecord } from "./otlp_logs.ts";
import type { SubhostedLogQuery } from "./subhosted_logs.ts";

const TIME = "2030-01-01T00:00:00.000Z";
const ALL: Omit<SubhostedLogQuery, "subhosterId"> = {
  q: null,
  levels: null,
  deploymentId: null,
  sinceMs: null,
  untilMs: null,
  limit: 100,
  order: "asc",
  cursor: null,
  format: "json",
};

function line(deploymentId: string, message: string, changes: Partial<SubhostedLog> = {}): SubhostedLog {
  return { time: TIME, level: "info", deploymentId, message, region: "local", ...changes };
}

Deno.test("lines of a subhoster's deployments are read back, followed and exported with their deployment", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  try {
    using store = await openStore(dir);
    const records: OtlpRecord[] = [];
    using logs = openLogs(dir, store, { exporter: { add: (some) => records.push(...some) } });
    const { subhosted } = logs;
    const { signal } = new AbortController();
    const read = async (changes: Partial<SubhostedLogQuery> = {}): Promise<SubhostedLog[]> => {
      const { text } = await subhosted.query({ ...ALL, subhosterId: "acme", ...changes }, signal);
      return JSON.parse(new TextDecoder().decode(text));
    };
    const follower = subhosted.follow({ ...ALL, subhosterId: "acme", deploymentId: "d/2" }, signal)!;
    const lines = [line("d-1", "one"), line("d/2", "two", { level: "error" })];
    subhosted.append("acme", lines);
    subhosted.append("other", [line("d-1", "theirs")]);
    assert.deepEqual(await read(), lines);
    assert.deepEqual(await read({ deploymentId: "d/2" }), [lines[1]]);
    assert.deepEqual(await read({ levels: ["info"] }), [lines[0]]);
    // The deployment is no part of what is searched.
    assert.deepEqual(await read({ q: "d-1" }), []);
    assert.deepEqual((await follower.next()).value, lines[1]);
    await follower.return?.();
    assert.deepEqual(records.map(({ deploymentId, body }) => [deploymentId, body]), [
      ["acme/d-1", "one"],
      ["acme/d/2", "two"],
      ["other/d-1", "theirs"],
    ]);
    assert.deepEqual(deploymentResource(store.database, "acme/d/2"), { "service.name": "acme" });

    const many = Array.from({ length: MAX_QUEUE + 5 }, (_, index) => line("d-3", `${index}`));
    subhosted.append("acme", many);
    const [last] = await read({ order: "desc", limit: 1 });
    const message = "5 log lines were dropped: too many were waiting to be written";
    assert.deepEqual(last, line("d-3", message, { level: "warning" }));
    assert.deepEqual(logs.stats().dropped, { app: 0, access: 0, subhosted: 5 });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
