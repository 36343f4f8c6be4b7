/** Where the registered implementation of `@opentelemetry/api` is found: Deno's own, if it is on (`OTEL_DENO`). */
const API_SYMBOL = Symbol.for("opentelemetry.js.api.1");

/** Whether Deno exports what it is told. */
export function isExporting(): boolean {
  return API_SYMBOL in globalThis;
}
