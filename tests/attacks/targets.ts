import { join } from "node:path";

/** What no tenant may get, see or reach. */
export interface Targets extends AsyncDisposable {
  /** In every one of them. */
  readonly secret: string;
  /** Where they are. */
  readonly knowledge: Record<string, unknown>;
  /** How often somebody got through to one that listens. */
  readonly reached: number;
}

const SECRET = "do-not-leak-51c8";

/**
 * Opens what there is to be attacked on a machine beside the sandboxes: files, with and without rights to them, and servers on
 * every kind of socket, which count who comes.
 */
export async function openTargets(): Promise<Targets> {
  const dir = await Deno.makeTempDir({ prefix: "isola-target-" });
  await Deno.chmod(dir, 0o777);
  const secretFile = join(dir, "secret.json");
  await Deno.writeTextFile(secretFile, JSON.stringify({ secret: SECRET }), { mode: 0o644 });
  const privateFile = join(dir, "private.txt");
  await Deno.writeTextFile(privateFile, SECRET, { mode: 0o600 });
  const openFile = join(dir, "open.txt");
  await Deno.writeTextFile(openFile, SECRET);
  await Deno.chmod(openFile, 0o666);
  const unixPath = join(dir, "open.sock");
  const abstractName = `isola-target-${crypto.randomUUID()}`;
  let reached = 0;
  const answer = () => {
    reached++;
    return new Response(SECRET);
  };
  const tcp = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen() {} }, answer);
  const tcp6 = Deno.serve({ hostname: "::1", port: tcp.addr.port, onListen() {} }, answer);
  const unix = Deno.serve({ path: unixPath, onListen() {} }, answer);
  await Deno.chmod(unixPath, 0o777);
  const abstract = Deno.serve({ path: `\0${abstractName}`, onListen() {} }, answer);
  return {
    secret: SECRET,
    get reached() {
      return reached;
    },
    knowledge: {
      dir,
      secretFile,
      privateFile,
      openFile,
      unixPath,
      abstractName,
      port: tcp.addr.port,
      serverPid: Deno.pid,
      hostname: Deno.hostname(),
      addresses: Deno.networkInterfaces().map(({ address }) => address),
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([tcp, tcp6, unix, abstract].map((server) => server.shutdown()));
      await Deno.remove(dir, { recursive: true });
    },
  };
}
