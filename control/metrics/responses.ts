import type { ResponseCounts } from "../../runner/mod.ts";

/** Responses to visitors since the start of the server, of all runners. */
export class Responses {
  readonly #classes: Record<string, number> = {};
  readonly #errors: Record<string, number> = {};

  /** By the class of their status: `2xx`. */
  get classes(): Readonly<Record<string, number>> {
    return this.#classes;
  }

  /** Error pages in place of a response, by their code. */
  get errors(): Readonly<Record<string, number>> {
    return this.#errors;
  }

  add({ byClass, errors }: ResponseCounts): void {
    for (const [digit, count] of byClass.entries()) if (count > 0) add(this.#classes, `${digit}xx`, count);
    for (const [code, count] of Object.entries(errors)) add(this.#errors, code, count);
  }
}

function add(sums: Record<string, number>, name: string, count: number): void {
  sums[name] = (sums[name] ?? 0) + count;
}
