/** The schema of `isola.db`, step by step. Released steps are never edited: append a new one. */
export const MIGRATIONS: readonly string[] = [
  `
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
  `,
  `
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
  `,
  `
  ALTER TABLE projects ADD COLUMN untrusted INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- What leads where: to a deployment, or, with project_id, to whatever is that project's production.
  CREATE TABLE hostnames (
    hostname TEXT PRIMARY KEY,
    template TEXT NOT NULL,
    deployment_id TEXT REFERENCES deployments (id) ON DELETE CASCADE,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    CHECK ((deployment_id IS NULL) <> (project_id IS NULL))
  ) STRICT;
  INSERT INTO hostnames (hostname, template, deployment_id)
  SELECT hostname, template, deployment_id FROM domains;
  DROP TABLE domains;
  CREATE INDEX hostnames_deployment ON hostnames (deployment_id);
  CREATE INDEX hostnames_project ON hostnames (project_id);

  -- What an organization has registered; "*.example.com" is a wildcard. token proves that the name is its own.
  CREATE TABLE domains (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    domain TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL,
    validated_at TEXT,
    provisioning_code TEXT NOT NULL CHECK (provisioning_code IN ('success', 'failed', 'pending', 'manual')),
    provisioning_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX domains_organization ON domains (organization_id, updated_at);

  -- names is a JSON array. Without a domain: one of the platform's own.
  CREATE TABLE certificates (
    id TEXT PRIMARY KEY,
    domain_id TEXT REFERENCES domains (id) ON DELETE CASCADE,
    names TEXT NOT NULL,
    chain TEXT NOT NULL,
    private_key TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('acme', 'manual')),
    cipher TEXT NOT NULL CHECK (cipher IN ('rsa', 'ec')),
    not_before TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX certificates_domain ON certificates (domain_id);

  -- private_key is a JWK.
  CREATE TABLE acme_accounts (
    directory TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    private_key TEXT NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT;
  `,
];
