/** A server with one build: the files of the app are read from stdin as JSON. It is made to be killed. */
import { BuildBench } from "./built_app.ts";

const files = JSON.parse(await new Response(Deno.stdin.readable).text()) as Record<string, string>;
const bench = await BuildBench.open();
await bench.build("orphan", { files });
