import type { RefusedTokens, ResponseCounts } from "../../runner/mod.ts";
import type { RefusedTokenStatus } from "../api/mod.ts";

/** Responses to visitors since the start of the server, of all runners. */
export class Responses {
  readonly #classes: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};
  /** By subhoster and reason: there are so many of both as are configured and known. */
  readonly #refusedTokens = new Map<string, RefusedTokenStatus>();

  /** By the class of their status: `2xx`. */
  get classes(): Readonly<Record<string, number>> {
    return this.#classes;
  }

  /** Error pages in place of a response, by their code. */
  get errors(): Readonly<Record<string, number>> {
    return this.#errors;
  }

  /** Tokens of relays, by whose they are and why they were refused. */
  get refusedTokens(): readonly RefusedTokenStatus[] {
    return [...this.#refusedTokens.values()];
  }

  add({ byClass, errors, refusedTokens }: ResponseCounts): void {
    for (const [digit, count] of byClass.entries()) if (count > 0) add(this.#classes, `${digit}xx`, count);
    for (const [code, count] of Object.entries(errors)) add(this.#errors, code, count);
    for (const refused of refusedTokens) this.#refuse(refused);
  }

  #refuse({ subhosterId, problem, count }: RefusedTokens): void {
    const key = `${problem} ${subhosterId ?? ""}`;
    const before = this.#refusedTokens.get(key)?.count ?? 0;
    const lastAt = new Date().toISOString();
    this.#refusedTokens.set(key, { subhosterId, reason: problem, count: before + count, lastAt });
  }
}

function add(sums: Record<string, number>, name: string, count: number): void {
  sums[name] = (sums[name] ?? 0) + count;
}
