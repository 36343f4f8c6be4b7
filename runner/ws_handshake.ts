import { createHash, randomBytes } from "node:crypto";
import { isConnectionOption, namedByConnection } from "./hop_by_hop.ts";
import { ProtocolError, type ResponseHead } from "./response_head.ts";

/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const VERSION = "13";

/** Whether a request is an opening handshake (RFC 6455 §4.2.1). Anything less is an ordinary request. */
export function isWebSocketUpgrade(method: string, headers: Headers): boolean {
  const upgrade = headers.get("upgrade");
  return upgrade !== null && method === "GET" && namesToken(upgrade, "websocket") &&
    namesToken(headers.get("connection"), "upgrade") && headers.get("sec-websocket-version") === VERSION &&
    KEY.test(headers.get("sec-websocket-key") ?? "");
}

/** Our own handshake with an isolate: the key is ours, since its answer proves only that one hop, and no extensions. */
export class WebSocketHandshake {
  readonly #key = randomBytes(16).toString("base64");
  readonly #offered: readonly string[];

  /** @param offered The visitor's `Sec-WebSocket-Protocol`, which is passed on. */
  constructor(offered: string | null) {
    this.#offered = offered?.split(",").map((protocol) => protocol.trim()) ?? [];
  }

  /** Header lines that end in CRLF. */
  get lines(): string {
    // In the one form that `Deno.upgradeWebSocket` understands: it takes "a,b" for a single protocol.
    const protocols = this.#offered.join(", ");
    return "connection: Upgrade\r\nupgrade: websocket\r\n" +
      `sec-websocket-version: ${VERSION}\r\nsec-websocket-key: ${this.#key}\r\n` +
      (protocols === "" ? "" : `sec-websocket-protocol: ${protocols}\r\n`);
  }

  /**
   * Checks a 101 (RFC 6455 §4.1).
   *
   * @returns The fields that the visitor gets: the app's own, and the chosen subprotocol.
   * @throws {ProtocolError}
   */
  accept({ fields }: ResponseHead): ResponseHead["fields"] {
    const get = (wanted: string) => fields.filter(([name]) => name === wanted).map(([, value]) => value);
    const accept = createHash("sha1").update(this.#key + GUID).digest("base64");
    const [protocol, ...others] = get("sec-websocket-protocol");
    if (!namesToken(get("upgrade").join(), "websocket") || !namesToken(get("connection").join(), "upgrade")) {
      throw new ProtocolError("status 101 without an upgrade to websocket");
    }
    if (get("sec-websocket-accept").join() !== accept) throw new ProtocolError("wrong sec-websocket-accept");
    if (get("sec-websocket-extensions").length > 0) throw new ProtocolError("extension that nobody offered");
    if (others.length > 0 || protocol !== undefined && !this.#offered.includes(protocol)) {
      throw new ProtocolError("subprotocol that nobody offered");
    }
    return fields.filter(([name]) =>
      !isConnectionOption(name) && (!name.startsWith("sec-websocket-") || name === "sec-websocket-protocol")
    );
  }
}

function namesToken(list: string | null, token: string): boolean {
  return list !== null && (namedByConnection(list)?.has(token) ?? false);
}
