import assert from "node:assert/strict";
import { NATIVE } from "./native_attacks.ts";
import { stageForTests } from "./stage.ts";

/** What a tenant says to its keeper in its host's place. What it gets for it is the end of its own isolate, or nothing. */
const FORGERIES: Record<string, { code: string; reason?: string }> = {
  "its end": { code: `say({ type: "exit", code: 0, message: "bye" })`, reason: "exited" },
  "an end without end": { code: `say({ type: "exit", message: "x".repeat(200_000) })`, reason: "exited" },
  "that it is ready again": { code: `say({ type: "ready", socket: "../victim/http" })` },
  "that it is blank again": { code: `say({ type: "blank" })` },
  "that it has failed": { code: `say({ type: "failed", message: "no" })` },
  "work for others": { code: `for (let id = -5; id < 50; id++) say({ type: "pending", id, count: 1e308 })` },
  "a flood of lines": {
    code: `for (let i = 0; i < 5_000; i++) say({ type: "log", level: "error", message: "line " + i })`,
  },
  "that lines were dropped without number": { code: `say({ type: "dropped", count: 1e308 })` },
  "garbage": {
    code: `write(crypto.getRandomValues(new Uint8Array(1000))); write(str("\\n"))`,
    reason: "protocol",
  },
  "a message of no type": { code: `say([])`, reason: "protocol" },
  "a line without end": {
    code: `const line = new Uint8Array(65_536).fill(120); for (let i = 0; i < 6; i++) write(line)`,
    reason: "protocol",
  },
};

const suite = stageForTests({ level: "full" });

for (const [what, { code, reason }] of Object.entries(FORGERIES)) {
  suite.test(`a tenant that tells its keeper ${what} ends itself at most`, async () => {
    await using attacker = await suite.stage.attacker(
      `${NATIVE}
      // The first connected socket of the process is its host's to its keeper.
      const getpeername = Deno.dlopen("libc.so.6", {
        getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
      }).symbols.getpeername;
      const isKeeper = (fd) => {
        const address = new Uint8Array(110);
        return getpeername(fd, address, new Uint32Array([110])) === 0 &&
          new TextDecoder().decode(address).includes("control.sock");
      };
      let keeper = 3;
      while (!isKeeper(keeper)) if (++keeper > 1000) throw new Error("no keeper");
      const write = (bytes) => {
        for (let sent = 0; sent < bytes.length;) {
          const count = Number(c.write(keeper, bytes.subarray(sent), BigInt(bytes.length - sent)));
          if (count > 0) sent += count;
          else if (errno() !== 11) return;
        }
      };
      const say = (message) => write(new TextEncoder().encode(JSON.stringify(message) + "\\n"));
      Deno.serve(({ url }) => {
        if (url.endsWith("/forge")) { ${code} }
        return new Response("lives");
      });`,
      { possessed: true },
    );
    assert.equal(await attacker.text("/"), "lives");
    const answer = await attacker.text("/forge").catch(() => "gone");
    if (reason === undefined) {
      assert.equal(answer, "lives");
      assert.equal(await attacker.sandbox.alive(), true);
    } else assert.equal((await attacker.sandbox.ended).reason, reason);
    const seconds = new Set(attacker.logs.map(({ time }) => time.slice(0, 19))).size;
    assert.ok(attacker.logs.length <= 1_001 * (seconds + 1), `${attacker.logs.length} lines`);
    assert.ok(attacker.logs.every(({ message }) => message.length <= 2_048));
    assert.equal(await suite.stage.askVictim(), suite.stage.targets.secret);
  });
}

for (const when of ["before it serves", "while it serves"]) {
  suite.test(`nobody is led through a link that native code puts in place of its socket ${when}`, async () => {
    await using attacker = await suite.stage.attacker(
      `${NATIVE}
      import process from "node:process";
      const T = JSON.parse(process.env.TARGETS);
      const swap = () => {
        c.chmod(str(T.sockets), 0o700);
        for (const name of ["/http.sock", "/node.sock"]) {
          const socket = str(T.sockets + name);
          if (c.rename(socket, str(T.sockets + "/old")) !== 0) c.unlink(socket);
          c.symlink(str(T.unixPath), socket);
        }
      };
      ${when === "before it serves" ? "swap();" : ""}
      Deno.serve(({ url }) => {
        if (url.endsWith("/swap")) swap();
        return new Response("served");
      });`,
      { possessed: true },
    );
    assert.equal(await attacker.text("/swap"), "served");
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path: attacker.path } });
    assert.equal(await (await fetch("http://127.0.0.1/", { client })).text(), "served");
    assert.equal(suite.stage.targets.reached, 0);
  });
}
