/** The beginning of what a stream says; the rest is read and dropped, so that the writer does not wait. */
export async function readStart(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    if (text.length < maxBytes) text += decoder.decode(chunk.subarray(0, maxBytes), { stream: true });
  }
  return text;
}
