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
  `
  CREATE TABLE access_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    method TEXT NOT NULL,
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    protocol TEXT NOT NULL,
    status INTEGER,
    outcome TEXT NOT NULL,
    start TEXT NOT NULL,
    duration_ms REAL NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    deployment_id TEXT NOT NULL,
    isolate_id TEXT,
    error_code TEXT,
    request_id TEXT,
    address TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    region TEXT NOT NULL,
    missing INTEGER
  ) STRICT;
  CREATE INDEX access_logs_project ON access_logs (project_id, time, id);
  CREATE INDEX access_logs_time ON access_logs (time);
  `,
  `
  -- deployment_id is what the subhoster calls it.
  CREATE TABLE subhosted_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subhoster_id TEXT NOT NULL,
    time INTEGER NOT NULL,
    level TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    message TEXT NOT NULL,
    region TEXT NOT NULL
  ) STRICT;
  CREATE INDEX subhosted_logs_subhoster ON subhosted_logs (subhoster_id, time, id);
  CREATE INDEX subhosted_logs_time ON subhosted_logs (time);
  `,
];
