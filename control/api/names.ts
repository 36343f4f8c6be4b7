import { domainToASCII } from "node:url";
import { z } from "zod";

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
/** RFC 1123 section 2.1; the last label is not a number, which would be an IPv4 address. */
const HOSTNAME = new RegExp(`^(?:${LABEL}\\.)+(?!\\d+$)${LABEL}$`);
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/;
const NET_TARGET = /^(?<wildcard>\*\.)?(?<host>\[[0-9a-f:.]+\]|[^:[\]]+)(?::(?<port>\d{1,5}))?$/;
const MAX_HOSTNAME_LENGTH = 253;
const MAX_TEMPLATE_LENGTH = 500;

/** Whether a text is a hostname of at least two labels, in lower case. */
export function isHostname(text: string): boolean {
  return text.length <= MAX_HOSTNAME_LENGTH && HOSTNAME.test(text);
}

/** A domain, made lower case and without the dot of the root. */
export const domainText = z.string().max(MAX_TEMPLATE_LENGTH).transform((domain) =>
  domain.toLowerCase().replace(/\.$/, "")
);

/** A name as it is registered, in lower case, without the dot of the root and in ASCII, or `null`: `host` or `*.host`. */
export function registeredName(text: string): string | null {
  const wildcard = text.startsWith("*.") ? "*." : "";
  const hostname = domainToASCII(text.slice(wildcard.length).replace(/\.$/, "")).toLowerCase();
  const isValid = hostname !== "" && isHostname(hostname) &&
    wildcard.length + hostname.length <= MAX_HOSTNAME_LENGTH;
  return isValid ? wildcard + hostname : null;
}

/** Where isolates may connect to: `host`, `*.host`, either with `:port`, an IP literal, or `*` for all. */
export const netTarget = z.string().max(MAX_TEMPLATE_LENGTH).transform((target) => target.toLowerCase())
  .refine(
    isNetTarget,
    `must be "host", "*.host", "host:port", an IP address (IPv6 in brackets), or "*"`,
  );

function isNetTarget(target: string): boolean {
  if (target === "*") return true;
  const groups = NET_TARGET.exec(target)?.groups;
  if (groups === undefined) return false;
  const { wildcard, host = "", port } = groups;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return false;
  if (host.startsWith("[")) return wildcard === undefined && URL.canParse(`http://${host}`);
  if (IPV4.test(host)) return wildcard === undefined;
  return isHostname(host) || (wildcard === undefined && new RegExp(`^${LABEL}$`).test(host));
}
