/** What a program in a shared process has for itself though the runtime has one for the whole process. */

/**
 * Gives this Worker's program an environment, and broadcast channels of its own, told apart by `name`. The environment of the
 * process can be neither seen nor changed any more, in Workers that the program starts either: they have none.
 */
export function ownSurroundings({ env, name }: { env: Record<string, string>; name: string }): void {
  ownEnvironment(env);
  ownChannels(name);
}

/** `process.env` is made of these methods (ext/node/polyfills/_process/process.ts). */
function ownEnvironment(env: Record<string, string>) {
  const values = new Map(Object.entries(env));
  const checked = (name: string) => {
    if (name === "" || /[=\0]/.test(name)) {
      throw new TypeError(`Key contains invalid characters: ${JSON.stringify(name)}`);
    }
    return name;
  };
  Object.assign(Deno.env, {
    get: (name: string) => values.get(checked(String(name))),
    has: (name: string) => values.has(checked(String(name))),
    set(name: string, value: string) {
      if (String(value).includes("\0")) throw new TypeError("Value contains invalid characters");
      values.set(checked(String(name)), String(value));
    },
    delete: (name: string) => void values.delete(checked(String(name))),
    toObject: () => Object.fromEntries(values),
  });
  Deno.permissions.revokeSync({ name: "env" });
}

/** The runtime's reach all Workers of the process. */
function ownChannels(owner: string) {
  const prefix = `${owner}:`;
  const own = class BroadcastChannel extends globalThis.BroadcastChannel {
    constructor(name: string) {
      super(prefix + name);
    }
    override get name(): string {
      return super.name.slice(prefix.length);
    }
  };
  Object.defineProperty(globalThis, "BroadcastChannel", {
    value: own,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}
