import type { FileTree, IsolateConfig, Origin, SubhosterConfig } from "../model.ts";
import { Answer } from "./answer.ts";
import { CallFailure } from "./call_failure.ts";
import { CONFIG_HEADER, layerOf, parseIsolateConfig } from "./isolate_config.ts";
import type { HeldBytes } from "./held_bytes.ts";
import { machineClock, type OriginClock } from "./origin_clock.ts";
import { callOrigin, explain } from "./origin_call.ts";
import type { OriginGate } from "./origin_gate.ts";
import { OriginError } from "./origin_error.ts";
import type { OriginState } from "./origin_state.ts";
import { readFileTree } from "./read_file_tree.ts";
import type { ReadTurns } from "./read_turns.ts";
import { signRpcToken } from "./rpc_token.ts";
import { RpcTransport } from "./rpc_transport.ts";
import { saveBlob } from "./save_blob.ts";
import { SubhosterOrigins } from "./subhoster_origins.ts";

/** To the headers of an answer, each try. */
export const HEADERS_TIMEOUT_MS = 5_000;
/** All tries of a call together, what it waits, and its body. */
export const CALL_TIMEOUT_MS = 20_000;
/** The body of a large blob has the more time. */
const MIN_BLOB_BYTES_PER_MS = 1_000;
/** Of the body of `boot`, decompressed. */
export const MAX_BOOT_BYTES = 20 * 2 ** 20;

/** What `boot` answers. */
export interface BootAnswer {
  config: IsolateConfig;
  body: Uint8Array<ArrayBuffer>;
}

/** A file's content, as the file tree of its deployment names it. */
export interface BlobRequest {
  deploymentId: string;
  hash: string;
  /** Bytes. */
  size: number;
}

/** Options of {@linkcode OriginClient}. */
export interface OriginClientOptions {
  subhosters: readonly SubhosterConfig[];
  /** @default {machineClock} */
  clock?: OriginClock;
}

/** What is asked for, and how the answer is read. */
interface Call<T> {
  rpc: "boot" | "read_tree" | "read_blob";
  deploymentId: string;
  hash?: string;
  timeoutMs?: number;
  signal: AbortSignal | undefined;
  read: (answer: Answer) => Promise<T>;
}

/** An origin that may be called. */
interface OriginPlace {
  rpcRoot: string;
  gate: OriginGate;
  config: SubhosterConfig;
  held: HeldBytes;
  turns: ReadTurns;
}

/**
 * Asks the origins of subhosters for what their deployments are made of, and tells them what happened. Each call has a
 * token of its own, goes below the configured roots only, and is bounded in time and size. All but `postEvents` are made
 * again if that may help, and not at all for a while when an origin is away.
 */
export class OriginClient implements Disposable {
  readonly #subhosters: ReadonlyMap<string, SubhosterOrigins>;
  readonly #clock: OriginClock;
  readonly #transport: RpcTransport;
  readonly #closed = new AbortController();

  constructor({ subhosters, clock = machineClock }: OriginClientOptions) {
    this.#clock = clock;
    this.#transport = new RpcTransport(clock);
    this.#subhosters = new Map(subhosters.map((config) => [config.id, new SubhosterOrigins(config, clock)]));
  }

  /**
   * Asks for a deployment's code and configuration.
   *
   * @throws {OriginError}
   * @throws the signal's reason
   */
  async boot(origin: Origin, deploymentId: string, signal?: AbortSignal): Promise<BootAnswer> {
    const read = async (answer: Answer) => {
      const { layer, ...config } = parseIsolateConfig(answer.headers.get(CONFIG_HEADER));
      const body = await answer.bytes(MAX_BOOT_BYTES);
      return { config: { ...config, layer: layer ?? layerOf(body, config.entrypoint) }, body };
    };
    return await this.#call(origin, { rpc: "boot", deploymentId, signal, read });
  }

  /**
   * Asks what files a deployment has.
   *
   * @throws {OriginError} `not_found`: it has none, or the origin knows no files.
   * @throws the signal's reason
   */
  async readTree(origin: Origin, deploymentId: string, signal?: AbortSignal): Promise<FileTree> {
    return await this.#call(origin, { rpc: "read_tree", deploymentId, signal, read: readFileTree });
  }

  /**
   * Writes a file's content to a new file, which only its owner may read; on failure there is none.
   *
   * @throws {OriginError}
   * @throws {Deno.errors} The file is there, or cannot be written.
   * @throws the signal's reason
   */
  async readBlob(
    origin: Origin,
    { deploymentId, hash, size }: BlobRequest,
    path: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const timeoutMs = CALL_TIMEOUT_MS + size / MIN_BLOB_BYTES_PER_MS;
    const read = (answer: Answer) => saveBlob(answer, size, path);
    await this.#call(origin, { rpc: "read_blob", deploymentId, hash, timeoutMs, signal, read });
  }

  /**
   * Posts events, once: who delivers them has a patience of its own. Whether that succeeds says nothing of the other calls,
   * and they say nothing of it.
   *
   * @param gzipped NDJSON.
   * @throws {OriginError} With the `status` if there was one.
   * @throws the signal's reason
   */
  async postEvents(origin: Origin, gzipped: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<void> {
    const name = `POST events at "${origin.rpcRoot}"`;
    const { rpcRoot, gate, config } = this.#find(origin, name);
    using time = this.#timeFor(CALL_TIMEOUT_MS, signal);
    try {
      const token = await signRpcToken({ ...signer(config), deploymentId: null, nowMs: Date.now() });
      const request = { url: `${rpcRoot}events`, token, events: gzipped, headersTimeoutMs: CALL_TIMEOUT_MS };
      const { body } = await this.#transport.send(request, time.signal);
      await body?.cancel().catch(() => {});
      gate.count(null);
    } catch (cause) {
      const error = explain(name, cause);
      gate.count(error instanceof OriginError ? error : null);
      throw error;
    }
  }

  /** How each origin does that was called lately. */
  states(): OriginState[] {
    return [...this.#subhosters.values()].flatMap((origins) => origins.states());
  }

  /** Ends all calls. */
  [Symbol.dispose](): void {
    this.#closed.abort(new CallFailure("unavailable", "this server stops"));
    this.#transport[Symbol.dispose]();
  }

  async #call<T>(
    origin: Origin,
    { rpc, deploymentId, hash, timeoutMs = CALL_TIMEOUT_MS, signal, read }: Call<T>,
  ): Promise<T> {
    const file = hash === undefined ? "" : ` "${hash}"`;
    const name = `GET ${rpc}${file} of deployment "${deploymentId}" at "${origin.rpcRoot}"`;
    const { rpcRoot, gate, config, held, turns } = this.#find(origin, name);
    const query = `deployment_id=${encodeURIComponent(deploymentId)}` +
      (hash === undefined ? "" : `&hash=${encodeURIComponent(hash)}`);
    using time = this.#timeFor(timeoutMs, signal);
    const send = async () => {
      const token = await signRpcToken({ ...signer(config), deploymentId, nowMs: Date.now() });
      const request = {
        url: `${rpcRoot}${rpc}?${query}`,
        token,
        events: null,
        headersTimeoutMs: HEADERS_TIMEOUT_MS,
      };
      return new Answer(await this.#transport.send(request, time.signal), {
        signal: time.signal,
        held,
        turns,
      });
    };
    return await callOrigin({
      name,
      deploymentId,
      gate,
      clock: this.#clock,
      signal: time.signal,
      send,
      read,
    });
  }

  /** @throws {OriginError} */
  #find({ subhosterId, rpcRoot }: Origin, name: string): OriginPlace {
    const origins = this.#subhosters.get(subhosterId);
    try {
      if (origins === undefined) {
        throw new CallFailure("invalid", `no subhoster "${subhosterId}" is configured`);
      }
      return { ...origins.gateOf(rpcRoot), config: origins.config, held: origins.held, turns: origins.turns };
    } catch (cause) {
      throw explain(name, cause);
    }
  }

  /** A signal that ends a call: when its time is over, when its caller or this client gives up. */
  #timeFor(timeoutMs: number, signal: AbortSignal | undefined): { signal: AbortSignal } & Disposable {
    const late = new AbortController();
    const failure = new CallFailure("unavailable", `it was not done within ${timeoutMs}ms`, { isDead: true });
    const cancel = this.#clock.after(timeoutMs, () => late.abort(failure));
    const signals = [late.signal, this.#closed.signal, ...(signal === undefined ? [] : [signal])];
    return { signal: AbortSignal.any(signals), [Symbol.dispose]: cancel };
  }
}

function signer({ id, secret }: SubhosterConfig): { subhosterId: string; secret: string } {
  return { subhosterId: id, secret };
}
