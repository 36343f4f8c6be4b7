/** Replaces a global function; keeps the original's own properties (`name`, `length`, node's promisify symbol). */
// deno-lint-ignore ban-types
export function replaceGlobal(name: string, replacement: Function, original: Function): void {
  Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(original));
  Object.defineProperty(globalThis, name, {
    value: replacement,
    writable: true,
    configurable: true,
    enumerable: true,
  });
}
