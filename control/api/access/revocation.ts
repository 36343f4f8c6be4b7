import type { MiddlewareHandler } from "hono";
import type { Principal, Tokens } from "../../store/mod.ts";
import type { ApiEnv } from "../deps.ts";
import { ApiError } from "../errors.ts";

/** Answers that may go on for as long as the client likes. */
const LIVE_TYPES = ["application/x-ndjson", "text/event-stream"];

/** No timer runs longer; nor does anybody follow a log for 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Ends what a token still does when it is revoked or expires: a log that is followed live, and a call whose body is still
 * arriving, which a client may draw out for as long as it likes.
 */
export function endedByRevocation(tokens: Tokens): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { body } = c.req.raw;
    if (body !== null) {
      c.req.raw = new Request(c.req.raw, { body: untilRevoked(body, tokens, c.get("principal")) });
    }
    await next();
    const type = c.res.headers.get("content-type")?.split(";", 1)[0];
    if (c.res.body === null || type === undefined || !LIVE_TYPES.includes(type)) return;
    const { tokenId } = c.get("principal");
    const over = new AbortController();
    const unsubscribe = tokens.onRevoked((id) => {
      if (id === tokenId) over.abort();
    });
    const expiresAt = tokens.get(tokenId)?.expiresAt ?? null;
    const leftMs = expiresAt === null ? Infinity : Date.parse(expiresAt) - Date.now();
    const timer = leftMs > MAX_TIMER_MS ? undefined : setTimeout(() => over.abort(), leftMs);
    const stop = () => {
      unsubscribe();
      clearTimeout(timer);
    };
    c.res = new Response(untilAborted(c.res.body, over.signal, stop), c.res);
  };
}

/** A body that fails with {@linkcode ApiError} `unauthorized`, also at its end, once the token may do nothing any more. */
export function untilRevoked(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  tokens: Tokens,
  { tokenId, name }: Pick<Principal, "tokenId" | "name">,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  // Nothing is read of a body that nobody reads: the server has its own way with that.
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  return new ReadableStream({
    async pull(controller) {
      reader ??= body.getReader();
      const { done, value } = await reader.read();
      if (!tokens.isUsable(tokenId)) {
        await reader.cancel();
        throw new ApiError("unauthorized", `The access token "${name}" was revoked, or expired, meanwhile`);
      }
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader === undefined ? body.cancel(reason) : reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** A stream that ends early, but well. */
function untilAborted(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
  ended: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const end = (error: unknown) => signal.aborted ? writable.close() : writable.abort(error);
  // It ends, too, when the client is gone: then there is nobody to tell.
  body.pipeTo(writable, { signal, preventAbort: true }).catch(end).catch(() => {}).finally(ended);
  return readable;
}
