import { Handler } from "../handler.ts";
import { Leases } from "../isolates/leases.ts";
import { VisitorConnection } from "../http1/visitor_connection.ts";
import { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "../visitor_limits.ts";
import { RawVisitor } from "./raw_visitor.ts";

/** Nothing takes too long. */
const PATIENT: VisitorLimits = {
  ...DEFAULT_VISITOR_LIMITS,
  headerTimeoutMs: Infinity,
  keepAliveTimeoutMs: Infinity,
  silenceTimeoutMs: Infinity,
  writeTimeoutMs: Infinity,
  bodyGraceMs: Infinity,
};

/** A visitor on a real connection, served in this thread from one isolate, for whom time passes when the test says so. */
export class ServedVisitor implements AsyncDisposable {
  readonly visitor: RawVisitor;
  readonly connection: VisitorConnection;
  readonly #leases: Leases;
  readonly #served: Promise<void>;
  #nowMs = performance.now();

  private constructor(visitor: RawVisitor, connection: VisitorConnection, leases: Leases) {
    const route = { deploymentId: "d1", maxConcurrency: 100, requestTimeoutMs: 0 };
    this.visitor = visitor;
    this.connection = connection;
    this.#leases = leases;
    this.#served = new Handler({ routes: new Map([["shop.example", route]]), leases }).serve(connection);
  }

  /**
   * Connects a visitor to "shop.example".
   *
   * @param limits The only ones.
   */
  static async connect(socketPath: string, limits: Partial<VisitorLimits>): Promise<ServedVisitor> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const [visitor, socket] = await Promise.all([
      RawVisitor.send(listener.addr.port, ""),
      listener.accept(),
    ]);
    const leases = new Leases({ idleTimeoutMs: 60_000, queueTimeoutMs: 5000 }, {
      acquire: () => Promise.resolve({ isolateId: "i1", socketPath }),
      release() {},
      broken() {},
    });
    const connection = new VisitorConnection(socket, socket.remoteAddr, {
      limits: { ...PATIENT, ...limits },
    });
    return new ServedVisitor(visitor, connection, leases);
  }

  get inFlight(): number {
    return this.#leases.usage()[0]?.inFlight ?? 0;
  }

  /** To the isolate, heads included. */
  get ingressBytes(): number {
    return this.#leases.usage()[0]?.ingressBytes ?? 0;
  }

  /** Lets as much time pass, second by second; false = the connection is closed. */
  age(seconds: number): boolean {
    for (let second = 0; second <= seconds; second++) this.connection.sweep(this.#nowMs + second * 1000);
    this.#nowMs += seconds * 1000;
    return !this.connection.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.visitor[Symbol.dispose]();
    this.connection.close();
    await this.#served;
    this.#leases[Symbol.dispose]();
  }
}
