/** Which deployments were the production of their project: to one of them a rollback goes. */
export const PROMOTED = `
  -- Of what there was before nobody knows: any that could be counts as if it had been.
  ALTER TABLE deployments ADD COLUMN promoted_at TEXT;
  UPDATE deployments SET promoted_at = updated_at WHERE status = 'success' AND context = 'production';
`;
