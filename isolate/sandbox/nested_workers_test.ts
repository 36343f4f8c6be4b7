import assert from "node:assert/strict";
import { OutboundTrial } from "./testing/outbound_trial.ts";

/** In programs: what a Worker answers to the first message, which is posted before it can have been loaded. */
const ASK = `
  const ask = (code, options) => new Promise((resolve) => {
    const url = "data:text/javascript," + encodeURIComponent(code);
    const worker = new Worker(url, { type: "module", ...options });
    worker.postMessage("question");
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      resolve(event.message);
    };
  });
`;

Deno.test("a nested Worker connects by way of the proxy, and so does one of its own", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response("served"));
  const { port } = server.addr;
  try {
    await using trial = await OutboundTrial.start({ allowPrivate: ["localhost"] });
    const program = `${ASK}
      const get = 'await fetch("http://localhost:' + input + '").then((response) => response.text())';
      const deeper = ${
      JSON.stringify(ASK)
    } + 'postMessage(await ask("postMessage(" + ' + JSON.stringify(get) + ' + ")"))';
      return {
        fetch: await ask("postMessage(" + get + ")"),
        connect: await ask('const { remoteAddr } = await Deno.connect({ hostname: "localhost", port: ' + input + ' }); postMessage(remoteAddr.port)'),
        refused: await ask('await fetch("http://10.0.0.1").catch(({ name }) => postMessage(name))'),
        deeper: await ask(deeper),
      };
    `;
    assert.deepEqual(await trial.run(program, port), {
      fetch: "served",
      connect: port,
      refused: "NotCapable",
      deeper: "served",
    });
    assert.equal(await trial.connections(), 3);
  } finally {
    await server.shutdown();
  }
});

Deno.test("a nested Worker is what it is without us", async () => {
  await using trial = await OutboundTrial.start();
  const program = `${ASK}
    const refused = (make) => {
      try {
        make();
      } catch (error) {
        return error.name;
      }
    };
    const blob = URL.createObjectURL(new Blob(["onmessage = () => postMessage(import.meta.url)"], { type: "text/javascript" }));
    const worker = new Worker(blob, { type: "module" });
    const ownUrl = new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
    worker.postMessage("");
    return {
      early: await ask("onmessage = ({ data }) => postMessage(data)"),
      name: await ask("postMessage(self.name)", { name: "given" }),
      url: await ask("postMessage(import.meta.url.slice(0, 21))"),
      blob: await ownUrl === blob,
      throws: await ask("throw new Error('thrown')"),
      noPermissions: await ask("postMessage(Deno.permissions.querySync({ name: 'env' }).state)", { deno: { permissions: "none" } }),
      wider: refused(() => new Worker("data:text/javascript,", { type: "module", deno: { permissions: { run: true } } })),
      classic: refused(() => new Worker("data:text/javascript,")),
      invalid: refused(() => new Worker("http://", { type: "module" })),
      instance: worker instanceof Worker && worker instanceof EventTarget,
      shape: [Worker.name, Worker.length],
    };
  `;
  const { throws, ...result } = await trial.run<Record<string, unknown>>(program);
  assert.match(String(throws), /thrown/);
  assert.deepEqual(result, {
    early: "question",
    name: "given",
    url: "data:text/javascript,",
    blob: true,
    noPermissions: "prompt",
    wider: "NotCapable",
    classic: "NotSupportedError",
    invalid: "TypeError",
    instance: true,
    shape: ["Worker", 1],
  });
});

Deno.test("a nested Worker's doors are closed", async () => {
  await using trial = await OutboundTrial.start();
  const program = `${ASK}
    const code = 'import process from "node:process";' +
      'const { TCP } = process.binding("tcp_wrap"); postMessage([new TCP(0).open(5), navigator.gpu === undefined])';
    return await ask(code);
  `;
  assert.deepEqual(await trial.run(program), [-1, true]);
});
