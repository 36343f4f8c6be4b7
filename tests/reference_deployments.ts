/** The deployments by which Deno's own reference origin shows what a subhosted program sees. */
import { makeEszip } from "../control/subhosting/content/testing/make_eszip.ts";
import type { TestFiles } from "./server.ts";

const TYPESCRIPT = "application/typescript";

/** @param target What the program that may connect to it alone connects to, as the others that may not: `127.0.0.1:8080` */
export async function referenceDeployments(target: string): Promise<Record<string, TestFiles>> {
  const connecting = `Deno.serve(async () => {
    try {
      return new Response(await (await fetch("http://${target}/")).text());
    } catch (error) {
      return new Response(String(error));
    }
  });`;
  const eszip = await makeEszip({
    root: "file:///src/main.ts",
    sources: {
      "file:///src/main.ts": {
        type: TYPESCRIPT,
        content: 'import { text } from "./text.ts"; Deno.serve(() => new Response(text satisfies string));',
      },
      "file:///src/text.ts": { type: TYPESCRIPT, content: "export const text: string = import.meta.url;" },
    },
  });
  return {
    "d-eszip": { "main.eszip": eszip, "config.json": '{ "entrypoint": "file:///src/main.ts" }' },
    "d-ephemeral": {
      "main.js": `Deno.serve((request) => {
        console.log("Asked for", new URL(request.url).pathname);
        return new Response("Hello, World!");
      });`,
    },
    "d-url": { "main.js": "Deno.serve((request) => new Response(request.url));" },
    "d-envs": {
      "main.js": 'Deno.serve(() => new Response(Deno.env.get("GREETING")));',
      "config.json": '{ "envs": { "GREETING": "Grüße, 世界" } }',
    },
    "d-meta": { "main.js": "Deno.serve(() => new Response(import.meta.url));" },
    "d-meta-remote": {
      "main.js": "Deno.serve(() => new Response(import.meta.url));",
      "config.json": '{ "entrypoint": "https://example.com/app/main.js" }',
    },
    "d-files": {
      "main.js": `
        const attempt = (fn) => fn().then(() => "done", (error) => error.name);
        const namesIn = async (path) => (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
        Deno.serve(async () => Response.json({
          relative: await Deno.readTextFile("./hello.txt"),
          absolute: await Deno.readTextFile("/deep/er.txt"),
          size: (await Deno.stat("hello.txt")).size,
          names: await namesIn("/"),
          outside: await attempt(() => Deno.readTextFile("/etc/passwd")),
          write: await attempt(() => Deno.writeTextFile("/hello.txt", "")),
          sync: await attempt(async () => Deno.readTextFileSync("/hello.txt")),
        }));`,
      "files/hello.txt": "Hello from a file",
      "files/deep/er.txt": "deeper",
    },
    "d-headers": {
      "main.js": `Deno.serve((request, { remoteAddr }) =>
        Response.json({ ...Object.fromEntries(request.headers), remote: remoteAddr.hostname }));`,
    },
    "d-net-allowed": { "main.js": connecting, "config.json": `{ "permissions": { "net": ["${target}"] } }` },
    "d-net-blocked": { "main.js": connecting, "config.json": '{ "permissions": { "net": false } }' },
    "d-first": { "main.js": 'Deno.serve(() => new Response(Deno.env.get("DENO_DEPLOYMENT_ID")));' },
    "d-second": { "main.js": 'Deno.serve(() => new Response(Deno.env.get("DENO_DEPLOYMENT_ID")));' },
  };
}
