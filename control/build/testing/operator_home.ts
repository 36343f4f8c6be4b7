import { homedir } from "node:os";
import { join } from "node:path";

/** The home directory of an operator with an `.npmrc`. Only what he says of registries differs from this machine. */
export class OperatorHome implements Disposable {
  readonly #dir = Deno.makeTempDirSync({ prefix: "isola-operator-" });

  constructor(npmrc: string) {
    Deno.writeTextFileSync(join(this.#dir, ".npmrc"), npmrc);
  }

  /** What differs in the server's environment. */
  get env(): Record<string, string> {
    const cache = Deno.env.get("XDG_CACHE_HOME") ?? join(homedir(), ".cache");
    return { HOME: this.#dir, DENO_DIR: Deno.env.get("DENO_DIR") ?? join(cache, "deno") };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#dir, { recursive: true });
  }
}
