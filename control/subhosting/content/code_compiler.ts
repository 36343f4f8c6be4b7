import { join } from "node:path";
import { AppPaths } from "../../build/app_paths.ts";
import { compileModule } from "../../build/compile_module.ts";
import { type FileView, openFileView } from "../../build/file_view.ts";
import { removeIfThere } from "../../files/remove_if_there.ts";
import type { ContentStore } from "./content_store.ts";

/** What {@linkcode CodeCompiler} works with. */
export interface CodeCompilerOptions {
  store: ContentStore;
  /** Those that isolates run with. */
  v8Flags: string;
}

/** More that wait are left as they are: their starts take longer. */
const MAX_WAITING = 100;
const TIMEOUT_MS = 10_000;
const NICE_PATH = "/usr/bin/nice";
/** The lowest priority (nice(1)). */
const NICENESS = 19;
const FILE = "main.mjs";

interface Job {
  key: string;
  file: string;
}

/** Has programs compiled that were fetched, one at a time and behind all else, so that they start sooner from then on. */
export class CodeCompiler implements AsyncDisposable {
  readonly #options: CodeCompilerOptions;
  readonly #waiting: Job[] = [];
  readonly #closed = new AbortController();
  #working: Promise<void> | null = null;
  #view: Promise<FileView> | null = null;

  constructor(options: CodeCompilerOptions) {
    this.#options = options;
  }

  /** Compiles a kept program's only module some time. */
  add(key: string, file: string): void {
    if (this.#waiting.length >= MAX_WAITING || this.#closed.signal.aborted) return;
    this.#waiting.push({ key, file });
    this.#working ??= this.#work().finally(() => this.#working = null);
  }

  /** Resolves when nothing is left to be done. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#waiting.length = 0;
    await this.idle();
  }

  async #work(): Promise<void> {
    for (let job; (job = this.#waiting.shift()) !== undefined;) {
      await this.#compile(job).catch((error) => {
        // It may have made room for another meanwhile.
        if (this.#closed.signal.aborted || error instanceof Deno.errors.NotFound) return;
        console.error(`Cannot compile "${job!.key}":`, error);
      });
    }
  }

  async #compile({ key, file }: Job): Promise<void> {
    const { store, v8Flags } = this.#options;
    const view = await (this.#view ??= openFileView(Deno.execPath()));
    const made = store.temporaryPath();
    try {
      await Deno.mkdir(join(made, ".isola"), { recursive: true, mode: 0o700 });
      const dir = await Deno.realPath(made);
      await Deno.copyFile(store.filePath(key, file), join(dir, FILE));
      const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const options = { paths: new AppPaths(dir), writable: [dir], view: nicely(view), signal, v8Flags };
      if (!await compileModule(FILE, options)) return;
      await store.addCompiled(key, file, await Deno.readFile(join(dir, `${FILE}.compiled`)));
    } finally {
      await removeIfThere(made);
    }
  }
}

function nicely(view: FileView): FileView {
  return (command, surroundings) => {
    const { path, args } = view(command, surroundings);
    return { path: NICE_PATH, args: ["-n", String(NICENESS), path, ...args] };
  };
}
