/**
 * A process that confines itself, for tests. Arguments: the confinement as JSON, with the path of a seccomp program; the
 * body of an async function of what `confine` returned. It prints its result, and `confineMs`, as JSON.
 */
import { confine, type ConfineOptions } from "../confine.ts";

const { filterPath, ...limits } = JSON.parse(Deno.args[0]!) as ConfineOptions & { filterPath?: string };
const filter = filterPath === undefined ? undefined : Deno.readFileSync(filterPath);
const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
const body = new AsyncFunction("confined", Deno.args[1]!);
const start = performance.now();
const confined = confine({ ...limits, filter });
const confineMs = performance.now() - start;
console.log(JSON.stringify({ result: await body(confined), confineMs }));
