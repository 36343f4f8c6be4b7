/** Organizations, tokens, projects, deployments, contents, build logs. */
export const INITIAL = `
  CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    production_deployment_id TEXT REFERENCES deployments (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX projects_organization ON projects (organization_id, updated_at);
  CREATE INDEX projects_production ON projects (production_deployment_id);

  -- seq is the order of creation.
  CREATE TABLE deployments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('pending', 'success', 'failed')),
    description TEXT,
    source TEXT NOT NULL,
    env TEXT NOT NULL,
    net TEXT,
    limits TEXT NOT NULL,
    domains TEXT,
    production INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX deployments_project ON deployments (project_id, seq);
  CREATE INDEX deployments_status ON deployments (status);

  -- Apart from deployments: a manifest may name 10,000 files, and lists do not show it.
  CREATE TABLE snapshots (
    deployment_seq INTEGER PRIMARY KEY REFERENCES deployments (seq) ON DELETE CASCADE,
    files TEXT NOT NULL,
    image TEXT
  ) STRICT;

  -- template is the domain as asked for; hostname is what it stands for now.
  CREATE TABLE domains (
    hostname TEXT PRIMARY KEY,
    template TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX domains_deployment ON domains (deployment_id);

  -- A row means that the file is durable under its name. used_at (Unix ms) is when a client last relied on it.
  CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    git_sha1 TEXT NOT NULL,
    size INTEGER NOT NULL,
    used_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX blobs_git_sha1 ON blobs (git_sha1);

  CREATE TABLE blob_references (
    deployment_seq INTEGER NOT NULL REFERENCES deployments (seq) ON DELETE CASCADE,
    blob_id INTEGER NOT NULL REFERENCES blobs (id),
    PRIMARY KEY (deployment_seq, blob_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_references_blob ON blob_references (blob_id);

  CREATE TABLE build_logs (
    deployment_seq INTEGER NOT NULL REFERENCES deployments (seq) ON DELETE CASCADE,
    line INTEGER NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (deployment_seq, line)
  ) STRICT, WITHOUT ROWID;
  
`;
