/** The length of the periods that usage is kept by. They begin at whole quarters of an hour of UTC. */
export const SLOT_MS = 15 * 60_000;

/** The number of the slot that a Unix time in ms lies in. */
export function slotOf(timeMs: number): number {
  return Math.floor(timeMs / SLOT_MS);
}
