/** How a ClientHello differs from an ordinary one. */
export interface HelloParts {
  /** The `server_name` extension is left out where it is `null`. */
  serverName?: string | null;
  /** Other extensions, before the name: type and content. */
  extensions?: [type: number, content: number[]][];
  /** In place of the whole `server_name` extension's content. */
  serverNameContent?: number[];
  /** Handshake messages of another type are not ClientHellos. */
  messageType?: number;
}

/** A ClientHello as the handshake message that records carry. */
export function helloMessage(parts: HelloParts = {}): number[] {
  const { serverName = "a.test", extensions = [[16, [0, 3, 2, 0x68, 0x32]]], messageType = 1 } = parts;
  const all = [...extensions];
  if (parts.serverNameContent !== undefined) all.push([0, parts.serverNameContent]);
  else if (serverName !== null) all.push([0, serverNameContent(serverName)]);
  const body = [
    ...[3, 3, ...new Array<number>(32).fill(7)],
    ...vector8(new Array<number>(32).fill(9)),
    ...vector16([0x13, 0x01, 0x13, 0x02]),
    ...vector8([0]),
    ...vector16(all.flatMap(([type, content]) => [...uint16(type), ...vector16(content)])),
  ];
  return [messageType, body.length >> 16, body.length >> 8 & 255, body.length & 255, ...body];
}

/** A list with one host name. */
export function serverNameContent(name: string): number[] {
  return vector16([0, ...vector16([...name].map((char) => char.charCodeAt(0)))]);
}

/** A message in handshake records of at most `size` bytes each. */
export function records(message: number[], size = 16_384): Uint8Array {
  const bytes = [];
  for (let at = 0; at < message.length; at += size) {
    bytes.push(22, 3, 1, ...vector16(message.slice(at, at + size)));
  }
  return Uint8Array.from(bytes);
}

function uint16(value: number): number[] {
  return [value >> 8, value & 255];
}

function vector8(content: number[]): number[] {
  return [content.length, ...content];
}

function vector16(content: number[]): number[] {
  return [...uint16(content.length), ...content];
}
