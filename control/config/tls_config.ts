/** How the certificates of a server come about, as `tls` of `isola.yaml` says (INTERFACE §7). */
export interface TlsConfig {
  /** `null` = none are ordered. */
  acme: AcmeConfig | null;
  /** The operator's own; names are read from each certificate. Absolute paths. */
  certificates: readonly { cert: string; key: string }[];
}

/** Where certificates are ordered (RFC 8555). */
export interface AcmeConfig {
  /** URL of the directory. */
  directory: string;
  email: string | null;
  /** Absolute path of the PEM with which the ACME server itself is trusted; `null` = as the system trusts. */
  caFile: string | null;
  /** External account binding: `hmacKey` is base64url. */
  eab: { keyId: string; hmacKey: string } | null;
  /** Through which dns-01 is answered; `null` = http-01 only, so no wildcards. */
  dns: DnsProviderConfig | null;
}

/** Who sets and removes the TXT record of a dns-01 challenge. */
export type DnsProviderConfig =
  /** A program and its arguments, called with `present|cleanup NAME VALUE` after them. */
  | { command: readonly string[] }
  /** Gets a POST of `{action: "present"|"cleanup", name, value}`, signed with HMAC-SHA-256 if there is a secret. */
  | { webhook: { url: string; secret: string | null } }
  /** A name server that takes dynamic updates (RFC 2136) signed with TSIG (RFC 8945). */
  | { rfc2136: Rfc2136Config };

/** Access to a name server. */
export interface Rfc2136Config {
  /** `host:port`. */
  server: string;
  zone: string;
  keyName: string;
  /** Base64. */
  keySecret: string;
  keyAlgorithm: "hmac-sha256" | "hmac-sha512";
}

/** What is known of names from outside. */
export interface DnsConfig {
  /** Name servers to ask, as `address:port`; empty = those of the system. */
  servers: readonly string[];
  /** The addresses under which this machine is reached from outside, for the records that users are told to set. */
  addresses: readonly string[];
}
