/** The process of `choosePaths()`: one choice as JSON on its standard input, its marks as JSON on its standard output. */
import { globMatcher } from "../snapshot/path_matchers.ts";
import type { PathChoice } from "./choose_paths.ts";

const { paths, include, exclude }: PathChoice = await new Response(Deno.stdin.readable).json();
const included = include.length > 0 ? globMatcher(include) : undefined;
const excluded = globMatcher(exclude);
const marks = paths.map((path) => !excluded.ignores(path) && included?.ignores(path) !== false);
await new Blob([JSON.stringify(marks)]).stream().pipeTo(Deno.stdout.writable);
