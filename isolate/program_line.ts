import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Program } from "./program.ts";
import {
  type AssignMessage,
  encodeLine,
  type FromSandbox,
  readLines,
  type ToSandbox,
  unixChunks,
} from "./protocol.ts";

/** Of what a guest answers. */
const MAX_ANSWER_BYTES = 1024;

/**
 * The guest's own connection to its keeper: the program goes in and "ready" comes out without a detour through the host,
 * for which a visitor would wait. One line is all that is read from it.
 */
export class ProgramLine implements Disposable {
  readonly #connection: Deno.UnixConn;

  constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }

  /**
   * Tells the guest what it is to start: it wakes up while the files are put in place.
   *
   * @param appDir Where they will be, as the sandbox sees it.
   */
  assign(program: Program, appDir: string): void {
    sendLine(this.#connection, assignMessage(program, appDir)).catch(() => {}); // It is gone, as its process or `start` tells.
  }

  /**
   * Has the guest start the program, whose files are in place now.
   *
   * @returns its answer; nothing if it goes without one
   * @throws {Error} when it says what is no message
   */
  async start(): Promise<FromSandbox | undefined> {
    try {
      await sendLine(this.#connection, { type: "start" });
      for await (const line of readLines(unixChunks(this.#connection), MAX_ANSWER_BYTES)) {
        return JSON.parse(line) as FromSandbox;
      }
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof RangeError) throw error;
      // It is gone, or closed its end: the host's connection tells the rest.
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}

function assignMessage({ entry, modules, files, env }: Program, appDir: string): AssignMessage {
  const inside = (path: string | undefined) => path === undefined ? undefined : join(appDir, path);
  return {
    type: "assign",
    entry: modules === undefined ? pathToFileURL(join(appDir, entry)).href : entry,
    modules: inside(modules),
    files: inside(files?.folder),
    env,
  };
}

/**
 * Sends one message whole.
 *
 * @throws {Error} when the connection is broken
 */
export async function sendLine(connection: Deno.UnixConn, message: ToSandbox): Promise<void> {
  const bytes = encodeLine(message);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
