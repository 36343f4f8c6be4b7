import type { AcmeAccount } from "../../../model.ts";
import type { AccountStore } from "../acme_account.ts";

/** Accounts that are kept for the length of a test. */
export class MemoryAccounts implements AccountStore {
  readonly kept = new Map<string, AcmeAccount>();

  get(directory: string): AcmeAccount | null {
    return this.kept.get(directory) ?? null;
  }

  put(account: AcmeAccount): void {
    this.kept.set(account.directory, account);
  }
}
