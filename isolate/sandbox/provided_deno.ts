/** `Deno`'s functions for files, and `fetch` of them, for a program whose files are provided. */
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { FetchedFiles } from "./fetched_files.ts";
import type { NamedPath } from "./file_view.ts";
import { replaceGlobal } from "./replace_global.ts";

type AnyFunction = (...args: unknown[]) => unknown;

const READS = ["readFile", "readTextFile", "readDir", "open", "stat", "lstat", "readLink", "realPath"];
const WRITES = [
  "chmod",
  "chown",
  "copyFile",
  "create",
  "link",
  "makeTempDir",
  "makeTempFile",
  "mkdir",
  "remove",
  "rename",
  "symlink",
  "truncate",
  "utime",
  "writeFile",
  "writeTextFile",
];
const UNSUPPORTED = ["chdir", "watchFs"];
const WRITING_OPTIONS = ["write", "append", "truncate", "create", "createNew"] as const;
/** What a file may have its reader do. Before there is anything in it, it has no such bits. */
const READABLE = 0o444;

/** Replaces them from now on. */
export function provideDeno(files: FetchedFiles): void {
  refuseAll();
  const { readFile, readTextFile, readDir, open, stat, lstat, readLink, realPath } = Deno;

  const info = (inspect: typeof stat) => (path: NamedPath) =>
    files.at(path, false, async (real) => {
      const found = await inspect(real);
      return { ...found, mode: found.mode === null ? null : found.mode | READABLE };
    });

  Object.assign(Deno, {
    cwd: () => "/",
    readFile: (path: NamedPath, options?: Deno.ReadFileOptions) =>
      files.at(path, true, (real) => readFile(real, options), options?.signal),
    readTextFile: (path: NamedPath, options?: Deno.ReadFileOptions) =>
      files.at(path, true, (real) => readTextFile(real, options), options?.signal),
    async *readDir(path: NamedPath) {
      yield* await files.at(path, false, (real) => Array.fromAsync(readDir(real)));
    },
    async open(path: NamedPath, options: Deno.OpenOptions = { read: true }) {
      if (WRITING_OPTIONS.some((name) => options[name])) throw readOnly("open");
      return await files.at(path, true, (real) => open(real, options));
    },
    stat: info(stat),
    lstat: info(lstat),
    readLink: (path: NamedPath) => files.at(path, false, async (real) => files.present(await readLink(real))),
    realPath: (path: NamedPath) => files.at(path, false, async (real) => files.present(await realPath(real))),
  });
  process.cwd = () => "/";
  process.chdir = Deno.chdir;
  provideFetch(files);
}

/** All of them; what can be had is given back. */
function refuseAll() {
  const refused: Record<string, AnyFunction> = {};
  for (const name of READS) {
    refused[`${name}Sync`] = () => {
      throw new Deno.errors.NotSupported(
        `Cannot use Deno.${name}Sync: files of this deployment are read asynchronously only, here by Deno.${name}`,
      );
    };
  }
  for (const name of WRITES) {
    refused[name] = () => Promise.reject(readOnly(name));
    refused[`${name}Sync`] = () => {
      throw readOnly(`${name}Sync`);
    };
  }
  for (const name of UNSUPPORTED) {
    refused[name] = () => {
      throw new Deno.errors.NotSupported(
        `Cannot use Deno.${name}: a deployment of this kind does not have it`,
      );
    };
  }
  Object.assign(Deno, refused);
}

function readOnly(name: string): Error {
  return new Deno.errors.PermissionDenied(`Cannot use Deno.${name}: files of this deployment are read only`);
}

function provideFetch(files: FetchedFiles) {
  const { fetch } = globalThis;
  const provided = (input: Request | URL | string, init?: RequestInit) => {
    const request = input instanceof Request ? input : String(input);
    const url = URL.parse(typeof request === "string" ? request : request.url);
    if (url?.protocol !== "file:") return fetch(request, init);
    const read = async (real: string) => {
      const response = await fetch(pathToFileURL(real), init);
      return Object.defineProperty(response, "url", { value: url.href, configurable: true });
    };
    return files.at(url, true, read, init?.signal);
  };
  replaceGlobal("fetch", provided, fetch);
}
