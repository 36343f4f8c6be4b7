/** What deployments use. */
export const USAGE = `
  -- What a deployment has used in all; stays when the deployment is deleted, goes with its project. id is the deployment's
  -- seq; project is that of the project's first deployment: a short name, never used again for another.
  CREATE TABLE usage_accounts (
    id INTEGER PRIMARY KEY,
    deployment_id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    project INTEGER NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    cpu_us INTEGER NOT NULL DEFAULT 0,
    uptime_ms INTEGER NOT NULL DEFAULT 0,
    ingress_bytes INTEGER NOT NULL DEFAULT 0,
    egress_bytes INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX usage_accounts_project ON usage_accounts (project_id);

  INSERT INTO usage_accounts (id, deployment_id, project_id, project)
  SELECT seq, id, project_id, min(seq) OVER (PARTITION BY project_id) FROM deployments;

  CREATE TRIGGER usage_accounts_open AFTER INSERT ON deployments BEGIN
    INSERT INTO usage_accounts (id, deployment_id, project_id, project) VALUES (
      new.seq, new.id, new.project_id,
      coalesce((SELECT project FROM usage_accounts WHERE project_id = new.project_id LIMIT 1), new.seq)
    );
  END;

  -- slot is Unix time in units of 15 minutes. It comes first, so that what is written together lies together. Rows of a
  -- deleted project are nobody's, and go with age.
  CREATE TABLE usage_slots (
    slot INTEGER NOT NULL,
    project INTEGER NOT NULL,
    account INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    cpu_us INTEGER NOT NULL,
    uptime_ms INTEGER NOT NULL,
    ingress_bytes INTEGER NOT NULL,
    egress_bytes INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    PRIMARY KEY (slot, project, account)
  ) STRICT, WITHOUT ROWID;
  
`;
