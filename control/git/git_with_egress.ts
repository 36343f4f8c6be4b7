/**
 * Runs where there is no network but the egress proxy's unix socket: carries connections of a loopback port there, and starts
 * `git …`, whose HTTP goes through that port (git-config(1), http.proxy), or makes one HTTP request for `fetch`, which comes as
 * JSON on the standard input. Its arguments are the socket's path, and the command. It imports nothing: inside there is
 * nothing else.
 */

/** Of what is answered to `fetch`. */
const MAX_BODY_LENGTH = 2000;

const [egressSocket = "", program = "", ...args] = Deno.args;

async function carry(client: Deno.TcpConn): Promise<void> {
  try {
    const proxy = await Deno.connect({ transport: "unix", path: egressSocket });
    await Promise.all([client.readable.pipeTo(proxy.writable), proxy.readable.pipeTo(client.writable)]);
  } catch {
    // One of both has gone: so does the other.
    client[Symbol.dispose]();
  }
}

async function carryAll(listener: Deno.TcpListener): Promise<void> {
  for await (const client of listener) void carry(client);
}

async function runGit(proxy: string): Promise<number> {
  const child = new Deno.Command(program, {
    args: ["-c", `http.proxy=${proxy}`, ...args],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return (await child.status).code;
}

async function sendRequest(url: string): Promise<number> {
  const { timeoutMs, caCerts, ...request } = await new Response(Deno.stdin.readable).json();
  const client = Deno.createHttpClient({ proxy: { url }, caCerts });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(request.url, { ...request, client, redirect: "manual", signal });
    const body = (await response.text()).slice(0, MAX_BODY_LENGTH);
    console.log(JSON.stringify({ status: response.status, body }));
    return 0;
  } catch (error) {
    const { message, cause } = error as Error;
    // "error sending request for url (…): client error (Connect): REASON"
    console.error(`error: ${cause instanceof Error ? cause.message.split("): ").at(-1) : message}`);
    return 1;
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
void carryAll(listener);
const proxy = `socks5h://127.0.0.1:${listener.addr.port}`;
Deno.exit(await (program === "git" ? runGit(proxy) : sendRequest(proxy)));
