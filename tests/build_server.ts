/** A server with one build: its data directory is the argument, the app's files come on stdin as JSON. Made to be killed. */
import { BuildBench } from "./built_app.ts";

const files = JSON.parse(await new Response(Deno.stdin.readable).text()) as Record<string, string>;
const bench = await BuildBench.open({ dir: Deno.args[0]! });
await bench.build("orphan", { files });
