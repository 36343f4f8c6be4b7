import { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** What a webhook turned out to be. */
export interface WebhookVerdict {
  state: "accepted" | "unsigned" | "wrong" | "stale" | "tooLarge";
  /** SHA-256 of what was signed, in hexadecimal: the same for a delivery that is sent again. */
  digest: string;
}

/** GitHub sends no more. */
const MAX_BODY_BYTES = 25 * 1024 ** 2;
/** Standard Webhooks, "Verifying webhook authenticity". */
const TIMESTAMP_TOLERANCE_SECONDS = 5 * 60;
/** Signatures that one request may offer. */
const MAX_SIGNATURES = 8;
/** Of HMAC-SHA256 over the body, in hexadecimal. Forgejo and Gitea send those of the others, too. */
const HEX_HEADERS = ["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"];

/**
 * Checks who has sent a webhook, while its body is read; nothing of that is kept.
 *
 * - GitHub, Gitea, Forgejo and most others: HMAC-SHA256 of the body (`X-Hub-Signature-256` and the like).
 * - GitLab with a signing token: Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`).
 * - GitLab with a secret token: the secret itself (`X-Gitlab-Token`).
 *
 * @param secret As it was given to the sender: text, or `whsec_` and base64 (Standard Webhooks).
 */
export async function verifyWebhook(
  { headers, body }: Pick<Request, "headers" | "body">,
  secret: string,
): Promise<WebhookVerdict> {
  const early = judgeHeaders(headers, secret);
  if (early !== null) return { state: early, digest: "" };
  const id = headers.get("webhook-id") ?? "";
  const timestamp = headers.get("webhook-timestamp") ?? "";
  const hex = createHmac("sha256", secret);
  const standard = createHmac("sha256", standardKey(secret)).update(`${id}.${timestamp}.`);
  const digest = createHash("sha256");
  // Where it is not signed, it would make another delivery of one that is sent again.
  if (headers.has("webhook-signature")) digest.update(`${id}.`);
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return { state: "tooLarge", digest: "" };
    for (const hash of [hex, standard, digest]) hash.update(chunk);
  }
  const state = judge(headers, { hex: hex.digest("hex"), base64: standard.digest("base64") });
  return { state, digest: digest.digest("hex") };
}

function judge(
  headers: Headers,
  right: { hex: string; base64: string },
): WebhookVerdict["state"] {
  const signatures = headers.get("webhook-signature");
  if (signatures !== null) {
    const offered = signatures.split(" ").slice(0, MAX_SIGNATURES);
    if (!offered.some((each) => isSame(each, `v1,${right.base64}`))) return "wrong";
    const ageSeconds = Date.now() / 1000 - Number(headers.get("webhook-timestamp"));
    return Math.abs(ageSeconds) <= TIMESTAMP_TOLERANCE_SECONDS ? "accepted" : "stale";
  }
  const hexHeader = HEX_HEADERS.find((name) => headers.has(name));
  if (hexHeader === undefined) return "accepted"; // By its token.
  const offered = headers.get(hexHeader)!.replace(/^sha256=/, "");
  return isSame(offered, right.hex) ? "accepted" : "wrong";
}

/** What can be said before the body is read; `null` = nothing against it. */
function judgeHeaders(headers: Headers, secret: string): "unsigned" | "wrong" | null {
  if (["webhook-signature", ...HEX_HEADERS].some((name) => headers.has(name))) return null;
  const token = headers.get("x-gitlab-token");
  if (token === null) return "unsigned";
  return isSame(token, secret) ? null : "wrong";
}

function standardKey(secret: string): Uint8Array {
  const base64 = /^whsec_(.+)$/.exec(secret)?.[1];
  return base64 === undefined ? Buffer.from(secret) : Buffer.from(base64, "base64");
}

/** In a time that does not depend on where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
