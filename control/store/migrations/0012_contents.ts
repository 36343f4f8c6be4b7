/** Which project has which contents; when hostnames were attached. */
export const CONTENTS = `
  -- A project finds by its git SHA-1 what was uploaded for it, or is in a deployment that it had: knowing the hash of what
  -- another has gives nobody its bytes.
  CREATE TABLE project_blobs (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    blob_id INTEGER NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, blob_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX project_blobs_blob ON project_blobs (blob_id);
  INSERT INTO project_blobs SELECT DISTINCT project_id, blob_id
  FROM blob_references JOIN deployments ON seq = deployment_seq;

  -- The seq of the newest deployment that there was when it was attached, or of the one that came with it.
  ALTER TABLE hostnames ADD COLUMN attached_after INTEGER NOT NULL DEFAULT 0;
`;
