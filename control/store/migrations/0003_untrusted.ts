/** Projects whose code is not the operator's own. */
export const UNTRUSTED = `
  ALTER TABLE projects ADD COLUMN untrusted INTEGER NOT NULL DEFAULT 0;
  
`;
