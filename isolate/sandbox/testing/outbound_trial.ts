import assert from "node:assert/strict";
import { writeBootCode } from "../../boot_code.ts";
import { type Egress, startEgress } from "../../egress/egress.ts";

/** In programs: `attempt(…)` says what became of a promise. */
export const ATTEMPT = `
  const attempt = (promise) => promise.then((value) => value ?? "done", (error) =>
    [error.name, error.code, error.message].filter((part) => part !== undefined && part !== 0).join(" "));
`;

const RUN_TIMEOUT_MS = 30_000;

/** In the sandbox's main isolate. Arguments: the proxy's socket; a program and its input as JSON. Prints its result as JSON. */
const HOST = `
  import { startForwarder } from "./forwarder.js";
  const [egressSocket, program] = Deno.args;
  const port = startForwarder({ port: 0, egressSocket });
  const worker = new Worker(new URL("./trial_guest.js", import.meta.url), {
    type: "module",
    deno: {
      permissions: { read: true, write: false, net: true, env: true, sys: true, run: false, ffi: false, import: false },
    },
  });
  worker.onmessage = ({ data }) => {
    console.log(JSON.stringify(data));
    Deno.exit(0);
  };
  worker.postMessage({ port, ...JSON.parse(program) });
`;

/** In the Worker: what a guest does before a program, which is the body of an async function. */
const GUEST = `
  import { closeDoors } from "./doors.js";
  import { publishNestedSetup } from "./nested_setup.js";
  import { setUpWorkers } from "./nested_workers.js";
  import { routeOutbound } from "./outbound.js";
  self.onmessage = async ({ data: { port, body, input } }) => {
    try {
      const proxy = { hostname: "127.0.0.1", port };
      routeOutbound(proxy);
      setUpWorkers(publishNestedSetup(proxy));
      closeDoors();
      const module = "export default async (input) => {" + body + "\\n}";
      const { default: run } = await import("data:text/javascript," + encodeURIComponent(module));
      self.postMessage({ result: await run(input) });
    } catch (error) {
      self.postMessage({ error: Deno.inspect(error) });
    }
  };
`;

/** What programs may reach. */
export interface OutboundTrialOptions {
  /** Of this machine: "host" or "host:port". */
  allowPrivate?: string[];
  /** @default {true} */
  net?: true | string[];
}

/** A real egress proxy, and programs in processes of their own that connect by way of it. */
export class OutboundTrial implements AsyncDisposable {
  readonly #egress: Egress;
  readonly #dir: string;

  private constructor(egress: Egress, dir: string) {
    this.#egress = egress;
    this.#dir = dir;
  }

  static async start({ allowPrivate = [], net = true }: OutboundTrialOptions = {}): Promise<OutboundTrial> {
    const dir = await Deno.makeTempDir({ prefix: "isola-outbound-" });
    await writeBootCode(`${dir}/boot`);
    await Deno.writeTextFile(`${dir}/boot/trial_host.js`, HOST);
    await Deno.writeTextFile(`${dir}/boot/trial_guest.js`, GUEST);
    const egress = await startEgress({ allowPrivate });
    await egress.open("trial", `${dir}/egress.sock`);
    egress.allow("trial", net);
    return new OutboundTrial(egress, dir);
  }

  /** How many connections the proxy has made. */
  async connections(): Promise<number> {
    const [usage] = await this.#egress.usage();
    return usage!.connections;
  }

  /**
   * Runs a program.
   *
   * @param body of an async function of `input`
   * @returns what it returns, through JSON
   */
  async run<T>(body: string, input?: unknown): Promise<T> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        "--unstable-worker-options",
        "--unstable-no-legacy-abort",
        "--unstable-raw-imports",
        `${this.#dir}/boot/trial_host.js`,
        `${this.#dir}/egress.sock`,
        JSON.stringify({ body, input }),
      ],
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(RUN_TIMEOUT_MS),
    }).output();
    const output = new TextDecoder().decode(stdout);
    assert.equal(code, 0, output + new TextDecoder().decode(stderr));
    const { result, error } = JSON.parse(output.trim().split("\n").at(-1)!);
    assert.equal(error, undefined, error);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#egress.close("trial");
    await this.#egress[Symbol.asyncDispose]();
    await Deno.remove(this.#dir, { recursive: true });
  }
}
