import { join } from "node:path";
import { NO_CACHE } from "../../isolate/command.ts";
import type { SandboxLevel } from "../../isolate/enclosure.ts";
import { openSandboxHome, type SandboxHome } from "../../isolate/home.ts";
import type { AppLogLine } from "../../isolate/log_intake.ts";
import { type Sandbox, startSandbox } from "../../isolate/sandbox.ts";
import { type Attack, attackProgram, earlyAttackProgram, type Outcomes } from "./attack.ts";
import { possess } from "./possess.ts";
import { openTargets, type Targets } from "./targets.ts";

const MEMORY_MB = 512;
const BOOT_TIMEOUT_MS = 60_000;
const MAX_LOG_LINES = 100_000;

/** What stands around the attackers. */
export interface StageOptions {
  /** The strongest level that is used; `none` = Deno's permissions alone. */
  level: SandboxLevel | "none";
  allowPrivate?: string[];
}

/** How an attacker is started. */
export interface AttackerOptions {
  /** It has all of its process: Deno's permissions gave way, and foreign functions are there. */
  possessed?: boolean;
  env?: Record<string, string>;
  net?: true | string[];
  memoryMb?: number;
  bootTimeoutMs?: number;
}

/** A machine with a neighbour and secrets, on which attackers are let loose, each in a real sandbox. */
export class Stage implements AsyncDisposable {
  readonly home: SandboxHome;
  readonly targets: Targets;
  readonly victim: Sandbox;
  readonly #victimPath: string;
  readonly #owned: AsyncDisposableStack;
  #attackers = 0;

  private constructor(
    home: SandboxHome,
    targets: Targets,
    victim: { sandbox: Sandbox; path: string },
    owned: AsyncDisposableStack,
  ) {
    this.home = home;
    this.targets = targets;
    this.victim = victim.sandbox;
    this.#victimPath = victim.path;
    this.#owned = owned;
  }

  static async open({ level, allowPrivate }: StageOptions): Promise<Stage> {
    await using opening = new AsyncDisposableStack();
    const dataDir = await Deno.makeTempDir({ prefix: "isola-attack-" });
    opening.defer(() => Deno.remove(dataDir, { recursive: true }));
    const home = opening.use(
      await openSandboxHome({
        dataDir,
        denoPath: Deno.execPath(),
        allowPrivate,
        ...(level === "none" ? { layers: "off" } : { strongest: level }),
      }),
    );
    const targets = opening.use(await openTargets());
    const sandbox = opening.use(
      await startSandbox({ home, id: "victim", net: true, maxHeapMb: 256, onLog() {} }),
    );
    const code = `Deno.serve(() => new Response("${targets.secret}"))`;
    const path = await sandbox.assign(program(code, { env: { SECRET: targets.secret } }));
    return new Stage(home, targets, { sandbox, path }, opening.move());
  }

  /** What attackers know: more than they could find out. */
  get knowledge(): Record<string, unknown> {
    return {
      ...this.targets.knowledge,
      victimPid: this.victim.pid,
      victimSockets: join(this.home.socketsDir, "victim"),
      victimApp: join(this.home.programsDir, "victim", "app"),
      socketsDir: this.home.socketsDir,
      programsDir: this.home.programsDir,
    };
  }

  /** One more tenant, running `code`. */
  async attacker(code: string, options: AttackerOptions = {}): Promise<Attacker> {
    const id = `attacker${++this.#attackers}`;
    const logs: AppLogLine[] = [];
    const sandbox = await startSandbox({
      home: options.possessed ? await possess(this.home) : this.home,
      id,
      net: true,
      maxHeapMb: 256,
      onLog: (line) => logs.length < MAX_LOG_LINES && logs.push(line),
    });
    try {
      const env = { TARGETS: JSON.stringify({ ...this.knowledge, ...this.#ownPlaces(id) }), ...options.env };
      const path = await sandbox.assign(program(code, { ...options, env }));
      return new Attacker(sandbox, path, logs);
    } catch (error) {
      await sandbox.end("shutdown");
      throw error;
    }
  }

  /** As the attacker sees them. */
  #ownPlaces(id: string) {
    const { bootDir, appDir, socketsDir } = this.home.enclosure.inside({
      denoPath: this.home.denoPath,
      bootDir: this.home.bootDir,
      appDir: join(this.home.programsDir, id, "app"),
      socketsDir: join(this.home.socketsDir, id),
      cacheDir: NO_CACHE,
    });
    return { boot: bootDir, app: appDir, sockets: socketsDir };
  }

  /**
   * What becomes of the attacks, one after the other, by one attacker; by one more, for what is left, when an attack has ended
   * the isolate that made it.
   */
  async attack(
    attacks: readonly Attack[],
    { prelude, ...options }: AttackerOptions & { prelude?: string } = {},
  ): Promise<Outcomes> {
    const outcomes: Outcomes = {};
    const left = [...attacks];
    while (left.length > 0) {
      await using attacker = await this.attacker(attackProgram(attacks, prelude), options);
      for (let attack = left.shift(); attack !== undefined; attack = left.shift()) {
        const outcome = await attacker.text(`/${encodeURIComponent(attack.name)}`).catch(() => undefined);
        outcomes[attack.name] = outcome ?? "ended itself";
        if (outcome === undefined) break;
      }
    }
    return outcomes;
  }

  /** What becomes of the attacks that one attacker makes before it serves. */
  async attackEarly(
    attacks: readonly Attack[],
    { prelude, ...options }: AttackerOptions & { prelude?: string } = {},
  ): Promise<Outcomes> {
    await using attacker = await this.attacker(earlyAttackProgram(attacks, prelude), options);
    return JSON.parse(await attacker.text());
  }

  /** What a visitor of the neighbour gets. */
  async askVictim(): Promise<string> {
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path: this.#victimPath } });
    return await (await fetch("http://127.0.0.1/", { client })).text();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

/** A tenant that serves. */
export class Attacker implements AsyncDisposable {
  readonly #client: Deno.HttpClient;

  constructor(readonly sandbox: Sandbox, readonly path: string, readonly logs: AppLogLine[]) {
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  }

  async text(path = "/"): Promise<string> {
    const response = await fetch(`http://127.0.0.1${path}`, { client: this.#client });
    return await response.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.sandbox.end("shutdown");
  }
}

function program(code: string, options: AttackerOptions) {
  return {
    entry: "main.js",
    populate: (dir: string) => Deno.writeTextFile(join(dir, "main.js"), code),
    env: options.env ?? {},
    net: options.net ?? true as const,
    memoryMb: options.memoryMb ?? MEMORY_MB,
    bootTimeoutMs: options.bootTimeoutMs ?? BOOT_TIMEOUT_MS,
  };
}

/** One stage for all the tests of a file: opened before the first of them, closed after the last. */
export function stageForTests(options: StageOptions): {
  readonly stage: Stage;
  /** What the stage is reading when a test starts may be there when it ends. */
  test(name: string, fn: () => Promise<void>): void;
} {
  let stage: Stage | undefined;
  Deno.test.beforeAll(async () => {
    stage = await Stage.open(options);
  });
  Deno.test.afterAll(() => stage?.[Symbol.asyncDispose]());
  return {
    get stage() {
      return stage!;
    },
    test: (name, fn) => Deno.test({ name, fn, sanitizeOps: false }),
  };
}
