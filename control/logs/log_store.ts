import { join } from "node:path";
import { openDatabase, type Store } from "../store/mod.ts";
import { AppLogs } from "./app_logs.ts";
import { BuildLogs } from "./build_logs.ts";
import type { RetentionOptions } from "./log_retention.ts";
import { MIGRATIONS } from "./migrations.ts";

/** How often what is too old or too much is deleted. */
const PRUNE_INTERVAL_MS = 60_000;

/** The two kinds of logs of deployments. */
export interface LogStore extends Disposable {
  readonly app: AppLogs;
  readonly build: BuildLogs;
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
export function openLogs(dataDir: string, store: Store, retention: RetentionOptions = {}): LogStore {
  const database = openDatabase(join(dataDir, "logs.db"), { migrations: MIGRATIONS, durability: "normal" });
  const app = new AppLogs(database, retention);
  const build = new BuildLogs(store.database);
  const pruning = setInterval(() => {
    app.prune().catch((error) => console.error("Cannot delete old log lines:", error));
  }, PRUNE_INTERVAL_MS);
  const close = () => {
    clearInterval(pruning);
    app.close();
    build.close();
    database.close();
  };
  return {
    app,
    build,
    end: (deploymentId) => {
      app.endFollowers(deploymentId);
      build.end(deploymentId);
    },
    endAll() {
      app.endAllFollowers();
      build.endAll();
    },
    close,
    [Symbol.dispose]: close,
  };
}
