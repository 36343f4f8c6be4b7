import { ProvisioningError } from "./provisioning_error.ts";

const MAX_RUNNING = 4;
const MAX_WAITING = 100;

/** Places for orders: so many at once, a bounded number of others in line. */
export class OrderSlots {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** How many can start at once. */
  get free(): number {
    return MAX_RUNNING - this.#running;
  }

  /** @throws {ProvisioningError} `busy` if too many wait */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running === MAX_RUNNING) await this.#turn();
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that nobody takes it in between.
      if (next) next();
      else this.#running--;
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) {
      throw new ProvisioningError("busy", `${MAX_WAITING} orders wait already: try again in some minutes`);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
