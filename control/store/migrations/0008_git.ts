/** Repositories that projects follow. */
export const GIT = `
  -- One without a URL only says how commits that are pushed here are deployed. credential and webhook_secret are sealed.
  -- is_stale: the production was deployed by other settings.
  CREATE TABLE git_links (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    url TEXT,
    provider TEXT NOT NULL,
    api_url TEXT,
    production_branch TEXT,
    previews INTEGER NOT NULL,
    root_directory TEXT NOT NULL,
    entrypoint TEXT,
    build_command TEXT,
    credential TEXT,
    webhook_secret TEXT,
    is_stale INTEGER NOT NULL DEFAULT 0,
    delivered_at TEXT,
    synced_at TEXT,
    sync_error TEXT,
    status_at TEXT,
    status_error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;

  -- What was done about the newest commit of each branch; a note says why it has no deployment. Of what failed and is to be
  -- tried again the hash is ''.
  CREATE TABLE git_branches (
    project_id TEXT NOT NULL REFERENCES git_links (project_id) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    sha TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('deployed', 'skipped', 'failed')),
    deployment_id TEXT,
    note TEXT,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (project_id, branch)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX git_branches_deployment ON git_branches (deployment_id) WHERE deployment_id IS NOT NULL;

  -- Webhooks that were accepted, by the SHA-256 of what was signed.
  CREATE TABLE git_deliveries (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES git_links (project_id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    UNIQUE (project_id, digest)
  ) STRICT;
`;
