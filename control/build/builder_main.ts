/**
 * The builder process: one build, started ahead of it, ended with it. It reads one request from stdin, writes messages to
 * stdout, and ends itself and its own processes when stdin closes, which is how it notices that the server is gone.
 */
import { init } from "es-module-lexer";
import * as esbuild from "esbuild";
import { setPriority } from "node:os";
import { BuildError } from "./build_error.ts";
import { type FileView, openFileView } from "./file_view.ts";
import { buildImage, type PipelineOptions } from "./pipeline.ts";
import type { BuilderMessage, BuildRequest } from "./protocol.ts";
import { runBuildCommand } from "./run_build_command.ts";

/** Of 19 (nice(1)). */
const NICENESS = 10;

function send(message: BuilderMessage): void {
  let bytes = new TextEncoder().encode(JSON.stringify(message) + "\n");
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Loads what a build needs: esbuild's own process, and the code that talks to it. */
async function warmUp(): Promise<FileView> {
  const contents = "export default 0";
  const [view] = await Promise.all([
    openFileView(Deno.execPath()),
    init,
    esbuild.build({ stdin: { contents, loader: "ts" }, bundle: true, write: false }),
  ]);
  return view;
}

async function run(request: BuildRequest, view: FileView, signal: AbortSignal): Promise<void> {
  try {
    const options: PipelineOptions = { log: (line) => send({ type: "log", ...line }), view, signal };
    if (request.command === undefined) send({ type: "done", image: await buildImage(request, options) });
    else send({ type: "written", files: await runBuildCommand(request, request.command, options) });
  } catch (error) {
    if (!(error instanceof BuildError)) console.error(error);
    send({ type: "failed", message: messageOf(error) });
  }
}

/** JavaScript runs out of stack or string length with a RangeError; esbuild ends, and says no more. */
function messageOf(error: unknown): string {
  if (error instanceof BuildError) return error.message;
  if (error instanceof RangeError || /service was stopped/.test(String(error))) {
    return "Cannot build: the program or its configuration is too large or nested too deeply";
  }
  return `Cannot build: ${error}`;
}

const gone = new AbortController();
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let line = "";
// Visitors come first. Processes that are started from here are as nice.
setPriority(NICENESS);
const view = await warmUp();
for await (const chunk of lines) {
  line += chunk;
  if (!chunk.endsWith("\n")) continue;
  run(JSON.parse(line), view, gone.signal).finally(() => Deno.exit());
}
gone.abort();
Deno.exit();
