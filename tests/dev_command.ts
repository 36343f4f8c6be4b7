import assert from "node:assert/strict";
import { LoggedProcess } from "./logged_process.ts";
import { ISOLA, until } from "./server.ts";

/** `isola dev` of a folder, with state of its own. */
export class DevCommand implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "isola-dev-" });
  readonly process: LoggedProcess;
  readonly #state = Deno.makeTempDirSync({ prefix: "isola-dev-state-" });
  readonly #client = Deno.createHttpClient({ allowHost: true });

  /** @param fill Puts into the folder what is served first. */
  constructor(fill: (folder: string) => void, flags: readonly string[] = []) {
    fill(this.folder);
    const ports = ["--http-addr", "127.0.0.1:0", "--control-addr", "127.0.0.1:0"];
    const command = [...ISOLA, "dev", ...flags, this.folder, ...ports, "--warm-pool", "1"];
    this.process = new LoggedProcess(command, { env: { XDG_STATE_HOME: this.#state } });
  }

  /** What a URL answers that is, or is below, one that it printed. */
  async answerOf(url: string): Promise<string> {
    const { hostname, port, pathname } = new URL(url);
    const local = `http://127.0.0.1:${port}${pathname}`;
    const response = await fetch(local, { client: this.#client, headers: { host: hostname } });
    return await response.text();
  }

  async shows(pattern: RegExp): Promise<void> {
    const isShown = () => pattern.test(this.process.output);
    const what = `it shows ${pattern}`;
    await until(what, () => isShown() || !this.process.isRunning, 30_000, () => this.process.output);
    assert(isShown(), this.process.output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    this.#client.close();
    for (const dir of [this.folder, this.#state]) Deno.removeSync(dir, { recursive: true });
  }
}
