import type { EgressOptions, EgressUsage, Net } from "./contract.ts";
import { FairSlots } from "./fair_slots.ts";
import { Gateway, type GatewayOptions } from "./gateway.ts";
import { EGRESS_LIMITS, type EgressLimits } from "./limits.ts";
import { OwnAddresses } from "./own_addresses.ts";
import { FairResolver, type Resolver, systemResolver } from "./resolver.ts";
import { type ConnectionCount, SandboxEgress } from "./sandbox_egress.ts";
import { parsePrivateTarget, parseTargetPattern } from "./target.ts";
import { Turns } from "./turns.ts";

/** What a test has otherwise than the machine. */
export interface EgressSurroundings {
  /** @default {systemResolver} */
  resolver?: Resolver;
  /** @default {EGRESS_LIMITS} */
  limits?: Partial<EgressLimits>;
}

/** The ways out of all sandboxes. Runs on a thread of its own, in `egress_worker.ts`. */
export class EgressProxy implements AsyncDisposable {
  readonly #sandboxes = new Map<string, SandboxEgress>();
  readonly #limits: EgressLimits;
  readonly #gatewayOptions: GatewayOptions;
  readonly #turns = new Turns();
  readonly #total: ConnectionCount = { open: 0 };

  /** @throws {RangeError} An entry of `allowPrivate` is malformed. */
  constructor({ allowPrivate }: EgressOptions, surroundings: EgressSurroundings = {}) {
    const limits = { ...EGRESS_LIMITS, ...surroundings.limits };
    this.#limits = limits;
    this.#gatewayOptions = {
      allowPrivate: allowPrivate.map(parsePrivateTarget),
      resolver: new FairResolver(surroundings.resolver ?? systemResolver, limits),
      setup: new FairSlots({
        perKey: limits.settingUp,
        total: limits.totalSettingUp,
        waitingPerKey: limits.connections,
      }),
      ownAddresses: new OwnAddresses(),
      limits,
    };
  }

  /**
   * Listens on a unix socket for one sandbox; refuses everything until `allow`.
   *
   * @throws {Deno.errors.AddrInUse | Error} It cannot listen there, or the sandbox is open already.
   */
  open(id: string, socketPath: string): void {
    if (this.#sandboxes.has(id)) throw new Error(`Cannot open egress of "${id}": it is open`);
    const sandbox = new SandboxEgress({
      id,
      socketPath,
      gateway: new Gateway(id, this.#gatewayOptions),
      limits: this.#limits,
      turns: this.#turns,
      total: this.#total,
    });
    this.#sandboxes.set(id, sandbox);
  }

  /**
   * From now on targets within `net` are allowed; a sandbox that is closed has none.
   *
   * @throws {RangeError} An entry is malformed.
   */
  allow(id: string, net: Net): void {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox) sandbox.gateway.net = net === true || net.map(parseTargetPattern);
  }

  /** Ends what the sandbox has, answers what it used; `null` = it is not open. */
  async close(id: string): Promise<EgressUsage | null> {
    const sandbox = this.#sandboxes.get(id);
    if (!sandbox) return null;
    this.#sandboxes.delete(id);
    await sandbox.close();
    return sandbox.usage;
  }

  /** Of every sandbox that is open. */
  usage(): EgressUsage[] {
    return [...this.#sandboxes.values()].map(({ usage }) => ({ ...usage }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sandboxes.keys()].map((id) => this.close(id)));
  }
}
