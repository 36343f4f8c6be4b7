import type { SubhosterConfig } from "../model.ts";
import { CallFailure } from "./call_failure.ts";
import { HeldBytes } from "./held_bytes.ts";
import type { OriginClock } from "./origin_clock.ts";
import { OriginGate } from "./origin_gate.ts";
import type { OriginState } from "./origin_state.ts";
import { ReadTurns } from "./read_turns.ts";
import { checkRpcRoot } from "./rpc_root.ts";

/** Origins of one subhoster that are remembered; then the one that was called longest ago is forgotten. */
export const MAX_ORIGINS = 100;

/** The origins of one subhoster that were called. What they cost is bounded for each subhoster. */
export class SubhosterOrigins {
  readonly config: SubhosterConfig;
  readonly held = new HeldBytes();
  readonly turns = new ReadTurns();
  readonly #clock: OriginClock;
  /** By rpc root, the one that was called last at the end. */
  readonly #gates = new Map<string, OriginGate>();

  constructor(config: SubhosterConfig, clock: OriginClock) {
    this.config = config;
    this.#clock = clock;
  }

  /**
   * Finds the gate of an origin.
   *
   * @throws {CallFailure} `invalid`: the subhoster has no origin there; `unavailable`: it has too many.
   */
  gateOf(rpcRoot: string): { rpcRoot: string; gate: OriginGate } {
    const checked = checkRpcRoot(rpcRoot, this.config.rpcRoots);
    if (checked === null) throw new CallFailure("invalid", "this rpc_root is not one of the subhoster's");
    const gate = this.#gates.get(checked) ?? this.#newGate(checked);
    this.#gates.delete(checked);
    this.#gates.set(checked, gate);
    return { rpcRoot: checked, gate };
  }

  states(): OriginState[] {
    return Array.from(this.#gates.values(), (gate) => gate.state());
  }

  #newGate(rpcRoot: string): OriginGate {
    if (this.#gates.size >= MAX_ORIGINS) {
      const idle = this.#gates.entries().find(([, gate]) => gate.isIdle);
      if (idle === undefined) {
        throw new CallFailure("unavailable", `more than ${MAX_ORIGINS} origins are called at once`);
      }
      this.#gates.delete(idle[0]);
    }
    return new OriginGate({ subhosterId: this.config.id, rpcRoot }, this.#clock);
  }
}
