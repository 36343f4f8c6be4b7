import { gzipSync } from "node:zlib";

/**
 * How an origin misbehaves in one call.
 *
 * @param right What would be right.
 * @param stopped The origin is stopped: nothing may go on.
 */
export type OriginFault = (
  right: () => Promise<Response>,
  stopped: AbortSignal,
) => Response | Promise<Response>;

/** It answers with that status. */
export function status(status: number, headers: Record<string, string> = {}): OriginFault {
  return () => new Response(`status ${status}`, { status, headers });
}

/** It answers something else, with the right configuration unless `headers` have one. */
export function answer(body: BodyInit, headers: Record<string, string> = {}): OriginFault {
  return async (right) => {
    const { headers: rightHeaders, body: rightBody } = await right();
    await rightBody?.cancel();
    const config = rightHeaders.get("x-deno-config");
    return new Response(body, {
      headers: { ...(config === null ? {} : { "x-deno-config": config }), ...headers },
    });
  };
}

/** It takes the call and never answers. */
export const silent: OriginFault = (_right, stopped) =>
  new Promise((resolve) => {
    const end = () => resolve(new Response(null, { status: 503 }));
    if (stopped.aborted) end();
    stopped.addEventListener("abort", end);
  });

/** It begins a body, of which no more comes. */
export const slowBody: OriginFault = (right, stopped) => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>();
  const writer = writable.getWriter();
  // Whoever is asked may give up first.
  writer.write(new TextEncoder().encode("{")).catch(() => {});
  stopped.addEventListener("abort", () => void writer.close().catch(() => {}));
  return answer(readable)(right, stopped);
};

/** It closes the connection in the middle of a body. */
export const cutBody: OriginFault = (right, stopped) =>
  answer(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
        controller.close();
      },
    }),
    { "content-length": "1000" },
  )(right, stopped);

/** Its body does not end. */
export const endless: OriginFault = (right, stopped) =>
  answer(
    new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
      },
    }),
  )(right, stopped);

/** It sends a little that becomes so many bytes. */
export function gzipBomb(bytes: number): OriginFault {
  return answer(new Uint8Array(gzipSync(new Uint8Array(bytes).fill(0x20))), { "content-encoding": "gzip" });
}

/** It sends us elsewhere. */
export function redirect(location: string): OriginFault {
  return status(302, { location });
}

/** Every other call goes wrong, the first one does. */
export function flapping(fault: OriginFault): () => OriginFault | undefined {
  let calls = 0;
  return () => calls++ % 2 === 0 ? fault : undefined;
}
