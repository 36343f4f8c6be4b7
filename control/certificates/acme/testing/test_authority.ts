import type { AcmeConfig } from "../../../config/tls_config.ts";
import type { AccountStore } from "../acme_account.ts";
import { AcmeClient } from "../acme_client.ts";
import { HttpAnswers } from "./http_answers.ts";
import { MemoryAccounts } from "./memory_accounts.ts";
import { Pebble, type PebbleOptions } from "./pebble.ts";

/** A test's ACME server, a client of it, and who answers its http-01 challenges. */
export class TestAuthority implements AsyncDisposable {
  readonly pebble: Pebble;
  readonly answers: HttpAnswers;
  readonly accounts = new MemoryAccounts();
  readonly #clients: AcmeClient[] = [];

  private constructor(pebble: Pebble, answers: HttpAnswers) {
    this.pebble = pebble;
    this.answers = answers;
  }

  static async start(options: PebbleOptions = {}): Promise<TestAuthority> {
    const answers = new HttpAnswers();
    return new TestAuthority(await Pebble.start({ ...options, httpPort: answers.port }), answers);
  }

  async client(
    config: Partial<AcmeConfig> = {},
    accounts: AccountStore = this.accounts,
  ): Promise<AcmeClient> {
    const { directory, caFile, dnsServer } = this.pebble;
    const client = await AcmeClient.open({
      config: { directory, caFile, email: null, eab: null, dns: null, ...config },
      accounts,
      publish: this.answers.publish,
      dnsServers: [dnsServer],
      env: {},
    });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    await this.pebble[Symbol.asyncDispose]();
    await this.answers[Symbol.asyncDispose]();
  }
}
