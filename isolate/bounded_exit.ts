/** How long the runtime may take to exit: its exporter of telemetry sends what it has left. */
const EXIT_TIMEOUT_MS = 3000;

/**
 * Has the process end within three seconds from now with `code`, if the runtime has not ended it by then: with `OTEL_DENO` Deno's
 * exporter is flushed first, on the main thread and without a bound. It waits for its collector, and, if that is when it
 * collects, for callbacks of the main thread itself.
 */
export async function boundExit(code: number): Promise<void> {
  const worker = new Worker(new URL("./bounded_exit_worker.ts", import.meta.url), { type: "module" });
  const isReady = Promise.withResolvers<void>();
  worker.onmessage = () => isReady.resolve();
  worker.onerror = (event) => {
    event.preventDefault();
    isReady.resolve();
  };
  worker.postMessage({ code, timeoutMs: EXIT_TIMEOUT_MS });
  await isReady.promise;
}
