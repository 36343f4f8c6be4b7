/** Opcodes of RFC 6455 §5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** What a peer sent, with the fragments of a message joined. */
export type FrameEvent =
  | { type: "text"; data: Uint8Array<ArrayBuffer> }
  | { type: "binary"; data: Uint8Array<ArrayBuffer> }
  | { type: "ping"; data: Uint8Array<ArrayBuffer> }
  | { type: "pong" }
  /** `code` is `null` if the peer gave none. */
  | { type: "close"; code: number | null; reason: string };

/** The peer broke RFC 6455; `closeCode` is what it should be told. */
export class FrameError extends Error {
  override name = "FrameError";

  constructor(readonly closeCode: number, what: string) {
    super(`Cannot read WebSocket frame: ${what}`);
  }
}

/** Of one message, fragments joined; also what `Deno.upgradeWebSocket` takes in an app. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_HEADER_BYTES = 14;
const MASK_BYTES = 4;
const MAX_CONTROL_BYTES = 125;
const MIN_CAPACITY_BYTES = 4096;

const encoder = new TextEncoder();

/** Decodes the frames of one side (RFC 6455 §5) as their bytes arrive, however they are split. */
export class FrameDecoder {
  readonly #masked: boolean;
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  /** Of the current frame's payload; -1 while its header is read. */
  #remainingBytes = -1;
  /** The message under way: its opcode, or 0 for none. */
  #messageOpcode = 0;
  readonly #message = new ByteQueue();
  readonly #control = new ByteQueue();
  #mask = new Uint8Array(0);
  /** Of the current frame's payload, what was unmasked already. */
  #unmaskedBytes = 0;

  /** @param options.masked The frames of a client are, those of a server are not (§5.1). */
  constructor({ masked }: { masked: boolean }) {
    this.#masked = masked;
  }

  /**
   * The events that `input` completes; their data is their own.
   *
   * @throws {FrameError} The decoder is of no more use then.
   */
  decode(input: Uint8Array): FrameEvent[] {
    const events: FrameEvent[] = [];
    let at = 0;
    while (at < input.length) {
      if (this.#remainingBytes === -1) {
        this.#header[this.#headerBytes++] = input[at++]!;
        this.#readHeader();
      } else {
        const end = Math.min(at + this.#remainingBytes, input.length);
        const pushed = (this.#isControl ? this.#control : this.#message).push(input.subarray(at, end));
        if (this.#masked) applyMask(pushed, this.#mask, this.#unmaskedBytes);
        this.#unmaskedBytes += end - at;
        this.#remainingBytes -= end - at;
        at = end;
      }
      if (this.#remainingBytes !== 0) continue;
      const event = this.#endFrame();
      if (event !== null) events.push(event);
    }
    return events;
  }

  get #opcode(): number {
    return this.#header[0]! & 0x0f;
  }

  get #isFinal(): boolean {
    return (this.#header[0]! & 0x80) !== 0;
  }

  get #isControl(): boolean {
    return this.#opcode >= OPCODE.close;
  }

  /** Checks each part of the header as soon as it is there, and knows the payload's length at its end. */
  #readHeader(): void {
    const length = this.#header[1]! & 0x7f;
    if (this.#headerBytes === 1) this.#checkOpcode();
    else if (this.#headerBytes === 2) {
      if (((this.#header[1]! & 0x80) !== 0) !== this.#masked) {
        throw new FrameError(1002, this.#masked ? "not masked by the client" : "masked by the server");
      }
      if (this.#isControl && length > MAX_CONTROL_BYTES) throw new FrameError(1002, "control frame too long");
    }
    const maskAt = length === 127 ? 10 : length === 126 ? 4 : 2;
    if (this.#headerBytes < (this.#masked ? maskAt + MASK_BYTES : maskAt)) return;
    this.#mask = this.#header.slice(maskAt, maskAt + MASK_BYTES);
    this.#unmaskedBytes = 0;

    const view = new DataView(this.#header.buffer);
    let payloadBytes = length;
    if (length === 126) payloadBytes = view.getUint16(2);
    else if (length === 127) payloadBytes = Number(view.getBigUint64(2));
    if (length === 126 && payloadBytes < 126 || length === 127 && payloadBytes < 65536) {
      throw new FrameError(1002, "length not in its shortest form");
    }
    if (!this.#isControl && this.#message.length + payloadBytes > MAX_MESSAGE_BYTES) {
      throw new FrameError(1009, `message over ${MAX_MESSAGE_BYTES} bytes`);
    }
    this.#remainingBytes = payloadBytes;
  }

  #checkOpcode(): void {
    const opcode = this.#opcode;
    if (this.#header[0]! & 0x70) throw new FrameError(1002, "reserved bits without an extension");
    if (this.#isControl) {
      if (opcode > OPCODE.pong) throw new FrameError(1002, `unknown opcode ${opcode}`);
      if (!this.#isFinal) throw new FrameError(1002, "fragmented control frame");
    } else if (opcode > OPCODE.binary) throw new FrameError(1002, `unknown opcode ${opcode}`);
    else if (opcode === OPCODE.continuation) {
      if (this.#messageOpcode === 0) throw new FrameError(1002, "continuation of nothing");
    } else if (this.#messageOpcode !== 0) throw new FrameError(1002, "message inside a message");
    else this.#messageOpcode = opcode;
  }

  #endFrame(): FrameEvent | null {
    this.#headerBytes = 0;
    this.#remainingBytes = -1;
    if (this.#isControl) return controlEvent(this.#opcode, this.#control.take());
    if (!this.#isFinal) return null;
    const opcode = this.#messageOpcode;
    const data = this.#message.take();
    this.#messageOpcode = 0;
    if (opcode === OPCODE.binary) return { type: "binary", data };
    decodeUtf8(data);
    return { type: "text", data };
  }
}

/** Bytes that arrive in pieces of any size: one buffer that doubles, however small the pieces are. */
class ByteQueue {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Returns where it is now. */
  push(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(
        Math.max(length, Math.min(length * 2, MAX_MESSAGE_BYTES), MIN_CAPACITY_BYTES),
      );
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    const pushed = this.#bytes.subarray(this.#length, length);
    this.#length = length;
    return pushed;
  }

  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > MIN_CAPACITY_BYTES) this.#bytes = new Uint8Array(0);
    return taken;
  }
}

function controlEvent(opcode: number, data: Uint8Array<ArrayBuffer>): FrameEvent {
  if (opcode === OPCODE.ping) return { type: "ping", data };
  if (opcode === OPCODE.pong) return { type: "pong" };
  if (data.length === 0) return { type: "close", code: null, reason: "" };
  if (data.length === 1) throw new FrameError(1002, "close code of one byte");
  const code = data[0]! << 8 | data[1]!;
  if (!isCloseCode(code)) throw new FrameError(1002, `close code ${code}`);
  return { type: "close", code, reason: decodeUtf8(data.subarray(2)) };
}

/** Whether a close code may stand in a frame (RFC 6455 §7.4 and the IANA registry). */
export function isCloseCode(code: number): boolean {
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006 ||
    code >= 3000 && code <= 4999;
}

function decodeUtf8(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new FrameError(1007, "text that is not UTF-8");
  }
}

/**
 * A final frame.
 *
 * @param masked As a client must (RFC 6455 §5.3); `payload` is overwritten then.
 */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array<ArrayBuffer>,
  masked: boolean,
): Uint8Array<ArrayBuffer> {
  const length = payload.length;
  const lengthBytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const payloadAt = 2 + lengthBytes + (masked ? MASK_BYTES : 0);
  const frame = new Uint8Array(payloadAt + length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcode;
  frame[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, length);
  else if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  if (masked) applyMask(payload, crypto.getRandomValues(frame.subarray(2 + lengthBytes, payloadAt)), 0);
  frame.set(payload, payloadAt);
  return frame;
}

/** The payload of a close frame; `null` = no code. The reason is cut to what fits, at a character. */
export function closePayload(code: number | null, reason: string): Uint8Array<ArrayBuffer> {
  if (code === null) return new Uint8Array(0);
  const payload = new Uint8Array(MAX_CONTROL_BYTES);
  payload[0] = code >> 8;
  payload[1] = code & 0xff;
  return payload.slice(0, 2 + encoder.encodeInto(reason, payload.subarray(2)).written);
}

/**
 * Masks or unmasks a piece of a payload which begins at `offset`. Four bytes at a time where alignment allows: a byte loop
 * takes 60 ms for 64 MiB.
 */
function applyMask(piece: Uint8Array<ArrayBuffer>, mask: Uint8Array, offset: number): void {
  const turned = Uint8Array.from({ length: MASK_BYTES }, (_, i) => mask[(offset + i) % MASK_BYTES]!);
  const words = piece.byteOffset % 4 === 0 ? piece.length >> 2 : 0;
  if (words > 0) {
    const word = new DataView(turned.buffer).getUint32(0, true);
    const aligned = new Uint32Array(piece.buffer, piece.byteOffset, words);
    for (let i = 0; i < words; i++) aligned[i]! ^= word;
  }
  for (let i = words * 4; i < piece.length; i++) piece[i]! ^= turned[i % MASK_BYTES]!;
}
