import { createServer, type RequestListener } from "node:http";

/** An isolate with a real server in it: an app's handler on a unix socket. */
export class AppIsolate implements AsyncDisposable {
  readonly socketPath: string;
  readonly #directory: string;
  readonly #stop: () => Promise<unknown>;

  private constructor(directory: string, socketPath: string, stop: () => Promise<unknown>) {
    this.#directory = directory;
    this.socketPath = socketPath;
    this.#stop = stop;
  }

  /** `Deno.serve`. */
  static serving(handler: (request: Request) => Response | Promise<Response>): AppIsolate {
    const directory = Deno.makeTempDirSync({ prefix: "isola-app-" });
    const path = `${directory}/http.sock`;
    const server = Deno.serve({ transport: "unix", path, onListen: () => {} }, handler);
    return new AppIsolate(directory, path, () => server.shutdown());
  }

  /** `node:http`. */
  static async node(listener: RequestListener): Promise<AppIsolate> {
    const directory = Deno.makeTempDirSync({ prefix: "isola-app-" });
    const path = `${directory}/http.sock`;
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return new AppIsolate(directory, path, () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
