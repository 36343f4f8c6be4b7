/** What base64 may be broken by. */
const WHITE_SPACE = /[\t\n\f\r ]+/g;

/**
 * Decodes base64 (RFC 4648 section 4) while it arrives; white space in it is ignored. Each chunk is good until the next is
 * asked for.
 *
 * @throws {SyntaxError} It is not base64.
 */
export async function* decodeBase64(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder();
  let rest = "";
  let buffer = new Uint8Array();
  for await (const chunk of source) {
    const text = rest + decoder.decode(chunk, { stream: true }).replace(WHITE_SPACE, "");
    if (buffer.length < text.length) buffer = new Uint8Array(text.length);
    const { read, written } = buffer.setFromBase64(text, { lastChunkHandling: "stop-before-partial" });
    // What is padded stays as the last, so that more after it is an error.
    const end = text.at(read - 1) === "=" ? 0 : read;
    rest = text.slice(end);
    if (end > 0) yield buffer.subarray(0, written);
  }
  yield Uint8Array.fromBase64(rest);
}
