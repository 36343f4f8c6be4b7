import assert from "node:assert/strict";
import type { TestApi } from "./test_api.ts";

/** Opens a stream of lines; the client goes away when it is disposed. */
export async function openNdjson(api: TestApi, path: string) {
  const gone = new AbortController();
  const response = await fetch(api.url + path, {
    headers: { authorization: `Bearer ${api.token}`, accept: "application/x-ndjson" },
    signal: gone.signal,
  });
  assert.equal(response.headers.get("content-type"), "application/x-ndjson");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async next() {
      while (!text.includes("\n")) {
        const { done, value } = await reader.read();
        if (done) return null;
        text += value;
      }
      const end = text.indexOf("\n");
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return JSON.parse(line);
    },
    async [Symbol.asyncDispose]() {
      gone.abort();
      await reader.cancel().catch(() => {});
    },
  };
}
