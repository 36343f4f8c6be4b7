import { makeCertificate } from "./certificate.ts";
import { freePort, startChild, until } from "./child.ts";
import { answers } from "../measures/h2load.ts";
import { HELLO_APP, type Subject } from "./subject.ts";

const SERVER = new URL("./deno_tls_server.ts", import.meta.url).pathname;
const HOST = "bench.localhost";

/** `Deno.serve` with a certificate and nothing before it. */
export async function startDenoTls(app: URL = HELLO_APP): Promise<Subject> {
  await using started = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "isola-bench-deno-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  const { cert, key } = await makeCertificate(directory, HOST);
  const [port, tlsPort] = [freePort(), freePort()];
  const server = ["run", "--quiet", "--no-config", "-A", SERVER];
  const child = started.use(
    startChild(Deno.execPath(), [...server, app.href, `${port}`, `${tlsPort}`, cert, key]),
  );
  const listening = { port, tlsPort, host: HOST, pids: [child.pid] };
  await until("Deno.serve with TLS", () => answers(listening, "h2"), child);
  const owned = started.move();
  return { ...listening, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
