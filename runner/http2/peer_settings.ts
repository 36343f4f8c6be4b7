import type { HpackEncoder } from "./hpack_encoder.ts";
import {
  DEFAULT_WINDOW_BYTES,
  ERROR,
  Http2Error,
  MAX_31_BITS,
  MAX_FRAME_SIZE_SETTING,
  MAX_PAYLOAD_BYTES,
  SETTING,
} from "./protocol.ts";

const SETTING_BYTES = 6;

/** What a visitor has said of how it wants to be sent to (RFC 9113 §6.5.2). */
export class PeerSettings {
  /** A stream's first window, in bytes. */
  windowBytes = DEFAULT_WINDOW_BYTES;

  /**
   * Takes the payload of one SETTINGS frame.
   *
   * @throws {Http2Error} The connection has to end.
   */
  read(payload: Uint8Array, encoder: HpackEncoder): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    for (let at = 0; at < payload.length; at += SETTING_BYTES) {
      const value = view.getUint32(at + 2);
      switch (view.getUint16(at)) {
        case SETTING.headerTableSize:
          encoder.resize(value);
          break;
        case SETTING.enablePush:
          if (value > 1) throw invalid("ENABLE_PUSH", value);
          break;
        case SETTING.initialWindowSize:
          if (value > MAX_31_BITS) throw invalid("INITIAL_WINDOW_SIZE", value, ERROR.flowControl);
          this.windowBytes = value;
          break;
        case SETTING.maxFrameSize:
          // Larger frames than it has to take would only let other streams wait.
          if (value < MAX_PAYLOAD_BYTES || value > MAX_FRAME_SIZE_SETTING) {
            throw invalid("MAX_FRAME_SIZE", value);
          }
      }
    }
  }
}

function invalid(name: string, value: number, code: Http2Error["code"] = ERROR.protocol): Http2Error {
  return new Http2Error(code, `${name} of ${value}`);
}
