/** Hostnames apart from domains; certificates, ACME accounts. */
export const DOMAINS = `
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
  
`;
