import { createHash, randomBytes } from "node:crypto";
import type { ByteBuffer } from "../http1/byte_buffer.ts";
import { listOf } from "../http1/field_scanner.ts";
import { ProtocolError, type ResponseHead } from "../http1/response_head.ts";

/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION = "13";

/** The two handshakes of one WebSocket: the visitor's with us, and ours with an isolate, without extensions. */
export class WebSocketHandshake {
  readonly #visitorKey: string;
  /** Ours, since its answer proves only that one hop. */
  readonly #key = randomBytes(16).toString("base64");
  readonly #offered: readonly string[];

  /** @param visitor What the visitor sent. */
  constructor(visitor: { key: string; protocols: string | null }) {
    this.#visitorKey = visitor.key;
    this.#offered = visitor.protocols?.split(",").map((protocol) => protocol.trim()) ?? [];
  }

  /** The rest of the head for the isolate: our handshake and the empty line. */
  get lines(): string {
    // In the one form that `Deno.upgradeWebSocket` understands: it takes "a,b" for a single protocol.
    const protocols = this.#offered.join(", ");
    return "connection: Upgrade\r\nupgrade: websocket\r\n" +
      `sec-websocket-version: ${VERSION}\r\nsec-websocket-key: ${this.#key}\r\n` +
      (protocols === "" ? "" : `sec-websocket-protocol: ${protocols}\r\n`) + "\r\n";
  }

  /**
   * Checks the isolate's 101 (RFC 6455 §4.1) and writes the visitor's: with the app's own fields and the chosen subprotocol.
   *
   * @param input Where `head` lies.
   * @throws {ProtocolError}
   */
  accept(head: ResponseHead, input: Uint8Array, out: ByteBuffer): void {
    const { upgrade, connection, accept, protocol, extensions } = head.upgrade!;
    if (!listOf(upgrade ?? "").includes("websocket") || !listOf(connection ?? "").includes("upgrade")) {
      throw new ProtocolError("status 101 without an upgrade to websocket");
    }
    if (accept !== acceptFor(this.#key)) throw new ProtocolError("wrong sec-websocket-accept");
    if (extensions !== null) throw new ProtocolError("extension that nobody offered");
    // Two of them are one with a comma, which nobody can have offered.
    if (protocol !== null && !this.#offered.includes(protocol)) {
      throw new ProtocolError("subprotocol that nobody offered");
    }
    out.text("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n");
    out.text(`sec-websocket-accept: ${acceptFor(this.#visitorKey)}\r\n`);
    out.copyPieces(input, head.pieces);
    out.text("\r\n");
  }
}

function acceptFor(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}
