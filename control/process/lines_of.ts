/**
 * What a command prints, line by line, without their newlines.
 *
 * @param maxLength Of what is kept of a line that has not ended; nobody reads the end of a longer one.
 */
export async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxLength: number,
): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!.slice(0, maxLength);
    yield* lines;
  }
  if (rest !== "") yield rest;
}
