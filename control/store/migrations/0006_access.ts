/** Roles, bounds and last use of tokens; who changed what. */
export const ACCESS = `
  -- Without an organization: of the whole machine. What is revoked stays for a while, so that its bearer is told.
  CREATE TABLE new_tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'write', 'deploy', 'read')),
    organization_id TEXT REFERENCES organizations (id) ON DELETE CASCADE,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    hash BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    last_used_at TEXT,
    revoked_at TEXT,
    CHECK ((role = 'admin') = (organization_id IS NULL)),
    CHECK (project_id IS NULL OR organization_id IS NOT NULL)
  ) STRICT;
  INSERT INTO new_tokens (id, name, role, organization_id, hash, created_at)
  SELECT id, name, iif(name = 'admin', 'admin', 'write'), iif(name = 'admin', NULL, organization_id), hash, created_at
  FROM tokens;
  DROP TABLE tokens;
  ALTER TABLE new_tokens RENAME TO tokens;
  CREATE UNIQUE INDEX tokens_name ON tokens (coalesce(organization_id, ''), name) WHERE revoked_at IS NULL;
  CREATE INDEX tokens_organization ON tokens (organization_id, created_at);
  CREATE INDEX tokens_project ON tokens (project_id);
  CREATE INDEX tokens_revoked ON tokens (revoked_at) WHERE revoked_at IS NOT NULL;

  CREATE UNIQUE INDEX organizations_name ON organizations (name COLLATE NOCASE);

  -- Nothing is referred to: an entry outlives what it tells of. time is Unix time in ms; id is the order of arrival.
  CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    organization_id TEXT,
    token_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    address TEXT
  ) STRICT;
  CREATE INDEX audit_log_time ON audit_log (time);
  CREATE INDEX audit_log_organization ON audit_log (organization_id, time);
  CREATE INDEX audit_log_token ON audit_log (token_id, time);
  CREATE INDEX audit_log_organization_token ON audit_log (organization_id, token_id, time);
`;
