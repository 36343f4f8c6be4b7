import { join } from "node:path";
import { openDatabase, type Store } from "../store/mod.ts";
import { AccessLogs } from "./access_logs.ts";
import { AppLogs } from "./app_logs.ts";
import { BuildLogs } from "./build_logs.ts";
import type { LineLogOptions } from "./line_log.ts";
import { LogReader } from "./log_reader.ts";
import { LogRetention, type RetentionOptions } from "./log_retention.ts";
import { MIGRATIONS } from "./migrations.ts";
import type { OtlpLogs } from "./otlp_logs.ts";
import { SubhostedLogs } from "./subhosted_logs.ts";

/** How often what is too old or too much is deleted. */
const PRUNE_INTERVAL_MS = 10_000;

/** How logs are kept, and where else they go. */
export interface LogStoreOptions {
  retention?: RetentionOptions;
  /** Gets what deployments print and are asked, too. @default {null} */
  exporter?: Pick<OtlpLogs, "add"> | null;
}

/** The kinds of logs of deployments. */
export interface LogStore extends Disposable {
  readonly app: AppLogs;
  readonly access: AccessLogs;
  readonly build: BuildLogs;
  readonly subhosted: SubhostedLogs;
  /** How much is kept, and what was not since the start, by log. */
  stats(): { bytes: number; dropped: { app: number; access: number; subhosted: number } };
  /** Deletes what is too old or too much; done regularly by itself. */
  prune(): Promise<void>;
  /** Ends all readers of a deployment that was deleted. */
  end(deploymentId: string): void;
  /** Ends all readers: this server answers nobody any more. */
  endAll(): void;
  /** Ends all readers and writes what waits. Idempotent. To be called before the store is closed. */
  close(): void;
}

/**
 * Opens the logs: what deployments print in `{dataDir}/logs.db`, which may grow and is not synced at every commit; what
 * builds print in the store, with their deployments.
 */
export function openLogs(
  dataDir: string,
  store: Store,
  { retention = {}, exporter = null }: LogStoreOptions = {},
): LogStore {
  const path = join(dataDir, "logs.db");
  const database = openDatabase(path, { migrations: MIGRATIONS, durability: "normal" });
  const retained = new LogRetention(database, retention);
  const reader = new LogReader(path);
  const options: LineLogOptions = {
    database,
    reader,
    exporter,
    written: (table, scope) => retained.touched(table, scope),
  };
  const app = new AppLogs(options);
  const access = new AccessLogs({
    ...options,
    projectOf: (deploymentId) => projectOf(store, deploymentId),
  });
  const subhosted = new SubhostedLogs(options);
  const build = new BuildLogs(store.database);
  const pruning = setInterval(() => {
    retained.prune().catch((error) => console.error("Cannot delete old log lines:", error));
  }, PRUNE_INTERVAL_MS);
  const close = () => {
    clearInterval(pruning);
    retained.stop();
    reader[Symbol.dispose]();
    app.lines.close();
    access.lines.close();
    subhosted.lines.close();
    build.close();
    database.close();
  };
  return {
    app,
    access,
    build,
    subhosted,
    stats: () => ({
      bytes: retained.usedBytes,
      dropped: {
        app: app.lines.droppedCount,
        access: access.droppedCount,
        subhosted: subhosted.lines.droppedCount,
      },
    }),
    prune: () => retained.prune(),
    end: (deploymentId) => {
      app.lines.end(deploymentId);
      build.end(deploymentId);
    },
    endAll() {
      app.lines.endAll();
      access.lines.endAll();
      subhosted.lines.endAll();
      build.endAll();
    },
    close,
    [Symbol.dispose]: close,
  };
}

function projectOf(store: Store, deploymentId: string): string | undefined {
  return store.database.get<{ projectId: string }>(
    "SELECT project_id AS projectId FROM deployments WHERE id = ?",
    deploymentId,
  )?.projectId;
}
