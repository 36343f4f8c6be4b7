import { nextTurn } from "../../scheduling/turn.ts";

/** Turns of the event loop for the answers of one subhoster: however many there are, one of them goes on in each. */
export class ReadTurns {
  #last: Promise<void> = Promise.resolve();

  /** Lets the event loop run, and whoever asked before. */
  next(): Promise<void> {
    return this.#last = this.#last.then(nextTurn);
  }
}
