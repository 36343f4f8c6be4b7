/** Which deployment is a branch's newest. */
export const BRANCHES = `
  -- What {project}--{label} leads to: the newest deployment of the branch that succeeded. The label is given to a branch
  -- with its first one, and stays for as long as the row does.
  CREATE TABLE branches (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    branch TEXT NOT NULL,
    label TEXT NOT NULL,
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, branch),
    UNIQUE (project_id, label)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX branches_deployment ON branches (deployment_id);
`;
