/** The beginning of an answer over HTTP: once more than so many bytes have come, no more of it is read. */
export async function readAnswerStart({ body }: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return text;
}
