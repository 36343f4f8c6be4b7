/** Variables of projects; the key that secrets are sealed with. */
export const VARIABLES = `
  -- value is sealed.
  CREATE TABLE project_variables (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    context TEXT NOT NULL CHECK (context IN ('production', 'preview')),
    value TEXT NOT NULL,
    secret INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (project_id, name, context)
  ) STRICT, WITHOUT ROWID;

  -- canary is sealed with the key of all secrets here; NULL = none was used yet. plain is not 0 if an earlier version, which
  -- sealed nothing, has written here, and what it wrote is not sealed yet: 1 until a later one has been in charge, then 2.
  CREATE TABLE sealing (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    canary TEXT,
    plain INTEGER NOT NULL
  ) STRICT;
  INSERT INTO sealing VALUES (1, NULL, EXISTS (SELECT 1 FROM organizations));
`;
