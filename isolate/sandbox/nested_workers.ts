/**
 * Has every Worker that is started from now on import the module at `setupUrl` before its program's. What is posted to it
 * meanwhile waits in the runtime; its `location` is not the program's, `import.meta.url` is.
 *
 * Workers of `node:worker_threads` are not among them: they have neither a way out nor the doors closed.
 */
export function setUpWorkers(setupUrl: string): void {
  const setUp = class Worker extends globalThis.Worker {
    constructor(specifier: string | URL, options: WorkerOptions = {}) {
      const program = new URL(specifier, self.location?.href).href;
      // Static, as the graph of a Worker's program is: loaded with the permissions of whoever starts it.
      const module = [setupUrl, program].map((url) => `import ${JSON.stringify(url)};`).join("");
      super(`data:text/javascript,${encodeURIComponent(module)}`, options);
    }
  };
  Object.defineProperty(globalThis, "Worker", {
    value: setUp,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
