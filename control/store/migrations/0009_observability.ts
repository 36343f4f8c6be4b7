/** What of a project is recorded. */
export const OBSERVABILITY = `
  ALTER TABLE projects ADD COLUMN access_log INTEGER NOT NULL DEFAULT 0;
`;
