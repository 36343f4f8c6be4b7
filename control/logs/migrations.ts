/** The schema of `logs.db`, step by step. Released steps are never edited: append a new one. */
export const MIGRATIONS: readonly string[] = [
  `
  -- time is Unix time in ms; id is the order of arrival.
  CREATE TABLE app_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    level TEXT NOT NULL,
    region TEXT NOT NULL,
    message TEXT NOT NULL
  ) STRICT;
  CREATE INDEX app_logs_deployment ON app_logs (deployment_id, time, id);
  CREATE INDEX app_logs_time ON app_logs (time);
  `,
];
