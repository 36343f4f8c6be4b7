import { dirname, join } from "node:path";
import { openSandboxHome, type SandboxHome } from "../home.ts";
import type { AppLogLine } from "../log_intake.ts";
import type { Program } from "../program.ts";
import { type Sandbox, startSandbox } from "../sandbox.ts";

/** A program of a test: its files by path, `main.js` being the entry, or that file's text. */
export type TrialFiles = string | Record<string, string>;

/** How a test wants its program run. */
export interface TrialOptions {
  env?: Record<string, string>;
  net?: true | string[];
  memoryMb?: number;
  bootTimeoutMs?: number;
  /** What its program is, where that is more than files with an entry. */
  program?: Partial<Program>;
  /** Layers of the operating system, as this machine has them, or none. */
  layers?: "auto" | "off";
  allowPrivate?: string[];
  /** Whoever gives it closes it, when the trial has ended. */
  home?: SandboxHome;
  /** @default {"trial"} */
  id?: string;
}

const LOG_TIMEOUT_MS = 20_000;

/** One real sandbox, in a home of its own if it is given none, for tests. */
export class Trial implements AsyncDisposable {
  readonly logs: AppLogLine[];
  readonly sandbox: Sandbox;
  readonly home: SandboxHome;
  readonly #closeHome: () => Promise<void>;
  readonly #watchers: Set<() => void>;
  #path = "";
  #client: Deno.HttpClient | undefined;

  private constructor(
    home: SandboxHome,
    closeHome: () => Promise<void>,
    sandbox: Sandbox,
    logs: AppLogLine[],
    watchers: Set<() => void>,
  ) {
    this.#closeHome = closeHome;
    this.home = home;
    this.sandbox = sandbox;
    this.logs = logs;
    this.#watchers = watchers;
  }

  /** A blank sandbox. */
  static async start(options: TrialOptions = {}): Promise<Trial> {
    const { net = true, id = "trial" } = options;
    const [home, closeHome] = options.home === undefined
      ? await openHome(options)
      : [options.home, () => Promise.resolve()];
    const logs: AppLogLine[] = [];
    const watchers = new Set<() => void>();
    const onLog = (line: AppLogLine) => {
      logs.push(line);
      for (const look of watchers) look();
    };
    const sandbox = await startSandbox({ home, id, net, maxHeapMb: 256, onLog });
    return new Trial(home, closeHome, sandbox, logs, watchers);
  }

  /** A sandbox whose program serves. */
  static async serve(files: TrialFiles, options: TrialOptions = {}): Promise<Trial> {
    const trial = await Trial.start(options);
    await trial.assign(files, options);
    return trial;
  }

  /** Gives the sandbox its program. */
  async assign(
    files: TrialFiles,
    { env = {}, net = true, memoryMb = 256, bootTimeoutMs = 30_000, program }: TrialOptions = {},
  ): Promise<void> {
    this.#path = await this.sandbox.assign({
      populate: (dir) => writeFiles(dir, files),
      entry: "main.js",
      env,
      net,
      memoryMb,
      bootTimeoutMs,
      ...program,
    });
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path: this.#path }, allowHost: true });
  }

  /** A request through the program's socket. */
  fetch(path = "/", init: RequestInit = {}): Promise<Response> {
    // An address, because the client looks up a name even if it then goes through the socket.
    return fetch(`http://127.0.0.1${path}`, { ...init, client: this.#client });
  }

  async text(path = "/", init: RequestInit = {}): Promise<string> {
    const response = await this.fetch(path, init);
    return await response.text();
  }

  async json(path = "/"): Promise<unknown> {
    return JSON.parse(await this.text(path));
  }

  /** What comes back for these bytes until the program closes the connection. */
  async raw(request: string): Promise<string> {
    using connection = await Deno.connect({ transport: "unix", path: this.#path });
    await connection.write(new TextEncoder().encode(request));
    return await new Response(connection.readable).text();
  }

  /** What the program's WebSocket answers to a message. */
  async echo(message: string): Promise<string> {
    const socket = new WebSocket("ws://127.0.0.1/", { client: this.#client! });
    const answer = Promise.withResolvers<string>();
    const closed = Promise.withResolvers<void>();
    socket.onopen = () => socket.send(message);
    socket.onmessage = ({ data }) => answer.resolve(String(data));
    socket.onerror = () => answer.reject(new Error("Cannot use the WebSocket"));
    socket.onclose = () => closed.resolve();
    try {
      return await answer.promise;
    } finally {
      socket.close();
      await closed.promise;
    }
  }

  /** Waits for a log line that holds `part`. */
  async logged(part: string): Promise<AppLogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<AppLogLine>();
    const look = () => {
      const line = this.logs.find(({ message }) => message.includes(part));
      if (line !== undefined) resolve(line);
    };
    this.#watchers.add(look);
    const timer = setTimeout(
      () => reject(new Error(`Not logged: "${part}", but ${JSON.stringify(this.logs)}`)),
      LOG_TIMEOUT_MS,
    );
    try {
      look();
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(look);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    await this.sandbox.end("shutdown");
    await this.#closeHome();
  }
}

async function openHome(
  { layers, allowPrivate, program }: TrialOptions,
): Promise<[home: SandboxHome, close: () => Promise<void>]> {
  const dataDir = await Deno.makeTempDir({ prefix: "isola-trial-" });
  const home = await openSandboxHome({
    dataDir,
    denoPath: Deno.execPath(),
    layers,
    allowPrivate,
    moduleIndexes: program !== undefined,
  });
  return [home, async () => {
    await home[Symbol.asyncDispose]();
    await Deno.remove(dataDir, { recursive: true });
  }];
}

async function writeFiles(dir: string, files: TrialFiles) {
  const byPath = typeof files === "string" ? { "main.js": files } : files;
  for (const [path, text] of Object.entries(byPath)) {
    await Deno.mkdir(dirname(join(dir, path)), { recursive: true });
    await Deno.writeTextFile(join(dir, path), text);
  }
}
