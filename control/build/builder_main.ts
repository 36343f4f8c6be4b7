/**
 * The builder process: one build, started ahead of it, ended with it. It reads one request from stdin, writes messages to
 * stdout, and ends itself and its own processes when stdin closes, which is how it notices that the server is gone.
 */
import { init } from "es-module-lexer";
import * as esbuild from "esbuild";
import { BuildError } from "./build_error.ts";
import { buildImage } from "./pipeline.ts";
import type { BuilderMessage, BuildRequest } from "./protocol.ts";

function send(message: BuilderMessage): void {
  let bytes = new TextEncoder().encode(JSON.stringify(message) + "\n");
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Loads what a build needs: esbuild's own process, and the code that talks to it. */
async function warmUp(): Promise<void> {
  const contents = "export default 0";
  await Promise.all([init, esbuild.build({ stdin: { contents, loader: "ts" }, bundle: true, write: false })]);
}

async function run(request: BuildRequest, signal: AbortSignal): Promise<void> {
  try {
    const image = await buildImage(request, { log: (line) => send({ type: "log", ...line }), signal });
    send({ type: "done", image });
  } catch (error) {
    if (!(error instanceof BuildError)) console.error(error);
    send({ type: "failed", message: error instanceof BuildError ? error.message : `Cannot build: ${error}` });
  }
}

const gone = new AbortController();
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let line = "";
await warmUp();
for await (const chunk of lines) {
  line += chunk;
  if (!chunk.endsWith("\n")) continue;
  run(JSON.parse(line), gone.signal).finally(() => Deno.exit());
}
gone.abort();
Deno.exit();
