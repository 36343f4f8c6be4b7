import { type Browser, chromium } from "playwright-core";
import { CHROMIUM, CHROMIUM_FLAGS } from "./chromium.ts";

const CERTUTIL = "/usr/bin/certutil";

/** Whether the browser, and what makes it trust, are installed: scripts/setup.sh does that where it may. */
export const hasTrustingBrowser: boolean = await Promise.all(
  [CHROMIUM, CERTUTIL].map((path) => Deno.stat(path)),
)
  .then(() => true, () => false);

/** A home directory of its own, with the trust store that Chromium reads. */
export class BrowserHome implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "isola-test-home-" });

  get #database(): string {
    return `${this.path}/.pki/nssdb`;
  }

  /** Has the authority trusted whose certificate is in a file (PEM). */
  async trust(name: string, certificatePath: string): Promise<void> {
    await Deno.mkdir(this.#database, { recursive: true });
    const isNew = await Deno.stat(`${this.#database}/cert9.db`).then(() => false, () => true);
    if (isNew) await this.#certutil("-N", "--empty-password");
    await this.#certutil("-A", "-t", "C,,", "-n", name, "-i", certificatePath);
  }

  /** Chromium with this home. `rules`: where names lead, as `--host-resolver-rules` has it. */
  async launch(rules: string): Promise<Browser> {
    return await chromium.launch({
      executablePath: CHROMIUM,
      args: [...CHROMIUM_FLAGS, `--host-resolver-rules=${rules}`],
      env: { HOME: this.path, PATH: "/usr/bin:/bin" },
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }

  async #certutil(...args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command(CERTUTIL, {
      args: ["-d", `sql:${this.#database}`, ...args],
      stdin: "null",
    }).output();
    if (!success) throw new Error(`Cannot change the trust store: ${new TextDecoder().decode(stderr)}`);
  }
}
