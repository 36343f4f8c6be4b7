import { isPublicAddress } from "../../isolate/mod.ts";
import { directClient } from "../http/direct_client.ts";
import type { Domain } from "../model.ts";
import { readAnswerStart } from "../http/read_answer_start.ts";
import { verificationRecord } from "./dns_records.ts";

/** Where a web server that the name leads to now has the proof (RFC 8615). */
export const PROOF_PATH = "/.well-known/isola-verification";

const TIMEOUT_MS = 5000;
const MAX_BYTES = 4096;
const HTTP_PORT = 80;

/** How {@linkcode hasHttpProof} asks. */
export interface HttpProofOptions {
  /** @default {80} */
  port?: number;
  /** What may be asked. @default {public addresses} */
  isAllowed?(address: string): boolean;
}

/**
 * Whether one of the addresses of a domain serves its proof by plain HTTP: the text of the TXT record. The address that was
 * looked at is the one that is asked; redirects are not followed. Never throws.
 */
export async function hasHttpProof(
  domain: Pick<Domain, "domain" | "token">,
  addresses: readonly string[],
  { port = HTTP_PORT, isAllowed = isPublicAddress }: HttpProofOptions = {},
): Promise<boolean> {
  const address = addresses.find(isAllowed);
  if (address === undefined) return false;
  using client = directClient({ hostname: address, port });
  try {
    const response = await fetch(`http://${domain.domain}${PROOF_PATH}`, {
      client,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await readAnswerStart(response, MAX_BYTES);
    return response.ok && text.trim() === verificationRecord(domain).content;
  } catch {
    return false;
  }
}
