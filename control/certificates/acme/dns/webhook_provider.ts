import { createHmac } from "node:crypto";
import { networkFailure } from "../network_failure.ts";
import { type DnsAction, type DnsProvider, DnsProviderError } from "./dns_provider.ts";

const TIMEOUT_MS = 15_000;
const SIGNATURE_HEADER = "x-isola-signature";

/** Where a webhook is, and with what its requests are signed. */
export interface Webhook {
  url: string;
  /** `null` = they are not signed. */
  secret: string | null;
}

/**
 * Gets `POST {"action": "present"|"cleanup", "name", "value"}`, signed by `x-isola-signature: sha256=HEX`, the
 * HMAC-SHA-256 of the body. Any status of 200–299 means that it is done.
 */
export class WebhookProvider implements DnsProvider {
  readonly #webhook: Webhook;

  constructor(webhook: Webhook) {
    this.#webhook = webhook;
  }

  async present(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#post("present", name, value, signal);
  }

  async cleanup(name: string, value: string, signal: AbortSignal): Promise<void> {
    await this.#post("cleanup", name, value, signal);
  }

  async #post(action: DnsAction, name: string, value: string, signal: AbortSignal): Promise<void> {
    const { url, secret } = this.#webhook;
    // Tenants read the message, and there may be a secret in the path.
    const { host } = new URL(url);
    const body = JSON.stringify({ action, name, value });
    const headers = new Headers({ "content-type": "application/json", "user-agent": "isola" });
    if (secret !== null) {
      headers.set(SIGNATURE_HEADER, `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
    }
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let response: Response;
    try {
      response = await fetch(url, {
        method: "POST",
        headers,
        body,
        redirect: "manual",
        signal: AbortSignal.any([signal, timeout]),
      });
      await response.body?.cancel();
    } catch (cause) {
      signal.throwIfAborted();
      const why = timeout.aborted ? `did not answer within ${TIMEOUT_MS}ms` : networkFailure(cause);
      throw new DnsProviderError(action, name, `the webhook of "${host}": ${why}`, { cause });
    }
    if (!response.ok) {
      throw new DnsProviderError(action, name, `the webhook of "${host}" answered ${response.status}`);
    }
  }
}
