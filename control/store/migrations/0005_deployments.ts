/** Databases by name, what a deployment was made from, the variables of its project. */
export const DEPLOYMENTS = `
  CREATE TABLE databases (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX databases_organization ON databases (organization_id, created_at);

  -- env and project_env are sealed. project_env is what the project's variables were when the deployment was created; env
  -- goes over it. git is JSON.
  ALTER TABLE deployments ADD COLUMN databases TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE deployments ADD COLUMN context TEXT NOT NULL DEFAULT 'production'
    CHECK (context IN ('production', 'preview'));
  ALTER TABLE deployments ADD COLUMN project_env TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE deployments ADD COLUMN redeploy_of TEXT;
  ALTER TABLE deployments ADD COLUMN git TEXT;
  ALTER TABLE deployments ADD COLUMN branch TEXT GENERATED ALWAYS AS (git ->> 'branch') VIRTUAL;
  CREATE INDEX deployments_branch ON deployments (project_id, branch, seq) WHERE branch IS NOT NULL;
`;
