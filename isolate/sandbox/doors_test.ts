import assert from "node:assert/strict";
import { OutboundTrial } from "./testing/outbound_trial.ts";

/** In programs: the name or code of what a call throws. */
const FAILURE = `
  const failure = async (call) => {
    try {
      return ["returned", await call()];
    } catch (error) {
      return error.code ?? error.name;
    }
  };
`;

Deno.test("no descriptor of the process can be adopted, whatever its number", async () => {
  await using trial = await OutboundTrial.start();
  const program = `${FAILURE}
    const fs = (await import("node:fs")).default;
    const net = (await import("node:net")).default;
    const tty = (await import("node:tty")).default;
    const process = (await import("node:process")).default;
    const handles = [["tcp_wrap", "TCP"], ["pipe_wrap", "Pipe"], ["udp_wrap", "UDP"]];
    const found = new Set();
    for (let fd = 3; fd < 40; fd++) {
      for (const [binding, name] of handles) {
        const handle = new (process.binding(binding)[name])(0);
        found.add(await failure(() => handle.open(fd)).then(String));
        handle.close();
      }
      found.add(await failure(() => new net.Socket({ fd })));
      found.add(await failure(() => new Promise((_, reject) => net.createServer().on("error", reject).listen({ fd }))));
      found.add(await failure(() => new tty.ReadStream(fd)));
      found.add(await failure(() => fs.writeSync(fd, "x")));
      found.add(await failure(() => fs.readSync(fd, new Uint8Array(1))));
    }
    const { prototype } = process.binding("tcp_wrap").TCP;
    const reopened = await failure(() => Object.defineProperty(prototype, "open", { value: () => 0 }));
    return { found: [...found].sort(), reopened };
  `;
  const { found, reopened } = await trial.run<{ found: string[]; reopened: string }>(program);
  assert.equal(reopened, "TypeError");
  for (const outcome of found) {
    assert.match(outcome, /^(returned,-1|EPERM|EBADF|EINVAL|ERR_\w+|NotCapable)$/, found.join("; "));
  }
});

Deno.test("a program cannot signal itself, nor others, but may ask whether a process lives", async () => {
  await using trial = await OutboundTrial.start();
  const program = `${FAILURE}
    const process = (await import("node:process")).default;
    const { kill } = await import("node:process");
    return {
      deno: await failure(() => Deno.kill(Deno.pid, "SIGKILL")),
      node: await failure(() => process.kill(process.pid, "SIGKILL")),
      named: await failure(() => kill(process.pid, 9)),
      parent: await failure(() => process.kill(process.ppid)),
      lives: await failure(() => process.kill(process.pid, 0)),
      abort: await failure(() => process.abort()),
    };
  `;
  assert.deepEqual(await trial.run(program), {
    deno: "NotCapable",
    node: "EPERM",
    named: "EPERM",
    parent: "EPERM",
    lives: ["returned", true],
    abort: "ERR_WORKER_UNSUPPORTED_OPERATION",
  });
});

Deno.test("listeners for signals are accepted", async () => {
  await using trial = await OutboundTrial.start();
  const program = `
    const process = (await import("node:process")).default;
    const listener = () => {};
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"]) {
      Deno.addSignalListener(signal, listener);
      process.on(signal, listener);
      Deno.removeSignalListener(signal, listener);
      process.off(signal, listener);
    }
    return "accepted";
  `;
  assert.equal(await trial.run(program), "accepted");
});

Deno.test("there is no GPU", async () => {
  await using trial = await OutboundTrial.start();
  assert.equal(await trial.run(`return navigator.gpu ?? null`), null);
});

Deno.test("nothing that is not available ends the process", async () => {
  await using trial = await OutboundTrial.start();
  const program = `${FAILURE}
    const dgram = (await import("node:dgram")).default;
    const absent = ["openKv", "cron", "listenDatagram", "connectQuic", "QuicEndpoint", "bundle"];
    return {
      vsock: await failure(() => Deno.connect({ transport: "vsock", cid: 2, port: 1 })),
      vsockClient: await failure(() => Deno.createHttpClient({ proxy: { transport: "vsock", cid: 2, port: 1 } })),
      unknown: await failure(() => Deno.connect({ transport: "tunnel", port: 1 })).then((name) => name !== "returned"),
      present: absent.filter((name) => Deno[name] !== undefined),
      webTransport: typeof WebTransport,
      datagram: await new Promise((resolve) =>
        dgram.createSocket("udp4").bind(0, "192.0.2.1").on("error", () => resolve("failed"))),
    };
  `;
  assert.deepEqual(await trial.run(program), {
    vsock: "NotSupported",
    vsockClient: "NotCapable",
    unknown: true,
    present: [],
    webTransport: "undefined",
    datagram: "failed",
  });
});
