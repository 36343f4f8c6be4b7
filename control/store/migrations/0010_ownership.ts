/** Several organizations may register a name; it is of the one that verifies it. */
export const OWNERSHIP = `
  -- Certificates refer to domains: both are made anew, and nothing refers to the old ones when they go.
  CREATE TABLE new_domains (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    domain TEXT NOT NULL,
    token TEXT NOT NULL,
    validated_at TEXT,
    provisioning_code TEXT NOT NULL CHECK (provisioning_code IN ('success', 'failed', 'pending', 'manual')),
    provisioning_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (organization_id, domain)
  ) STRICT;
  INSERT INTO new_domains SELECT id, organization_id, domain, token, validated_at, provisioning_code,
    provisioning_message, created_at, updated_at FROM domains ORDER BY rowid;

  CREATE TABLE new_certificates (
    id TEXT PRIMARY KEY,
    domain_id TEXT REFERENCES new_domains (id) ON DELETE CASCADE,
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
  INSERT INTO new_certificates SELECT id, domain_id, names, chain, private_key, source, cipher, not_before, expires_at,
    created_at, updated_at FROM certificates ORDER BY rowid;
  DROP TABLE certificates;
  DROP TABLE domains;
  ALTER TABLE new_domains RENAME TO domains;
  ALTER TABLE new_certificates RENAME TO certificates;

  CREATE UNIQUE INDEX domains_validated ON domains (domain) WHERE validated_at IS NOT NULL;
  CREATE INDEX domains_domain ON domains (domain);
  CREATE INDEX domains_organization ON domains (organization_id, updated_at);
  CREATE INDEX certificates_domain ON certificates (domain_id);
`;
