import type { Certificate } from "../../contract.ts";
import { until } from "../../testing/test_runner.ts";
import { TrustedProxies } from "../trusted_proxies.ts";
import { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "../../visitor_limits.ts";
import { Admission } from "../admission.ts";
import { CertificateTable } from "../certificate_table.ts";
import { Front, type Visitor } from "../front.ts";

/** How a {@linkcode TestFront} differs from one on which plain visitors hear an echo. */
export interface TestFrontOptions {
  /** With them, visitors speak TLS. */
  certificates?: Certificate[];
  limits?: Partial<VisitorLimits>;
  port?: number;
  proxyProtocol?: string[];
  forwardedFor?: string[];
  serve?(visitor: Visitor): Promise<void>;
  wantCertificate?(hostname: string): Promise<void>;
  evict?(): boolean;
}

/** A real front on a free port. */
export class TestFront implements AsyncDisposable {
  readonly table: CertificateTable | null;
  readonly admission: Admission;
  readonly front: Front;
  readonly port: number;
  /** Everybody who was served. */
  readonly visitors: Visitor[] = [];
  /** Names for which there was no certificate. */
  readonly wanted: string[] = [];

  constructor(
    { certificates, limits, proxyProtocol = [], forwardedFor = [], evict = () => false, ...options }:
      TestFrontOptions = {},
  ) {
    this.table = certificates === undefined ? null : new CertificateTable();
    this.table?.change({ installed: certificates!, removed: [] });
    this.admission = new Admission({ ...DEFAULT_VISITOR_LIMITS, ...limits }, evict);
    this.front = new Front({
      hostname: "127.0.0.1",
      port: options.port ?? 0,
      tls: this.table,
      admission: this.admission,
      proxies: new TrustedProxies([
        { addresses: proxyProtocol, by: "proxy-protocol" },
        { addresses: forwardedFor, by: "x-forwarded-for" },
      ]),
      serve: (visitor) => {
        this.visitors.push(visitor);
        return (options.serve ?? echo)(visitor);
      },
      wantCertificate: (hostname) => {
        this.wanted.push(hostname);
        return options.wantCertificate?.(hostname) ?? Promise.resolve();
      },
    });
    this.port = this.front.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.front.close();
    await until(() => this.front.size === 0 && this.admission.connections === 0);
    this.table?.[Symbol.dispose]();
  }
}

/** Sends back what comes, until nothing comes any more. */
export async function echo({ socket, received }: Visitor): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    if (received.length > 0) await send(socket, received);
    for (let bytes; (bytes = await socket.read(buffer)) !== null;) {
      await send(socket, buffer.subarray(0, bytes));
    }
  } catch {
    // The visitor left.
  }
  close(socket);
}

/** Writes all of it. */
export async function send(socket: Visitor["socket"], bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
}

/** Closes what the front may have closed before. */
export function close(socket: Visitor["socket"]): void {
  try {
    socket.close();
  } catch {
    // It did.
  }
}
