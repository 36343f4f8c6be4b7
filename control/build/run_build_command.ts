import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { seccompForTools } from "../../isolate/mod.ts";
import { folderSize } from "../files/folder_size.ts";
import { linesOf } from "../process/lines_of.ts";
import { AppPaths } from "./app_paths.ts";
import { BuildError } from "./build_error.ts";
import { type DenoOptions, installTools } from "./deno_command.ts";
import { type BuildCommand, NO_VIEW } from "./file_view.ts";
import type { PipelineOptions } from "./pipeline.ts";
import type { BuildCommandLine, BuildRequest, BuiltFile } from "./protocol.ts";
import { prepareConfig, type TenantConfig } from "./tenant_config.ts";
import { writtenFiles } from "./written_files.ts";

/** Lines of its output that are logged, and how much of each. */
const MAX_LINES = 5000;
const MAX_LINE_LENGTH = 2048;
/** Of all that is there when it runs: the deployment, its packages, what it writes. */
const MAX_SIZE = { bytes: 4 * 1024 ** 3, files: 300_000 };
const SIZE_INTERVAL_MS = 1000;
/** What steers the C library (glibc, "unsecure_envvars"), which programs outside the walls load as well. */
const OF_C_LIBRARY =
  /^(?:GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|HOSTALIASES|LANG|LANGUAGE|LC_.*|LOCALDOMAIN|LOCPATH|MALLOC_.*|NIS_PATH|NLSPATH|RES_OPTIONS|RESOLV_HOST_CONF|TMPDIR|TZDIR)$/;
/** Packages that a command or a task names. */
const TOOL = /\b(?:npm|jsr):@?[\w./-]+(?:@[\w.^~-]+)?/g;

/**
 * Runs a deployment's build command in its directory: as a program that is not trusted, without network, with the packages
 * that the configuration names and those that commands name, and nothing else of this machine but Deno.
 *
 * @returns the files that it has written
 * @throws {BuildError} it fails, or cannot be run here; the text is for the build log
 */
export async function runBuildCommand(
  request: BuildRequest,
  command: BuildCommandLine,
  options: PipelineOptions,
): Promise<BuiltFile[]> {
  const { dir } = request;
  if (options.view === NO_VIEW) {
    throw new BuildError(
      `Cannot run "${command.text}": this server has no namespaces to confine it. Deploy what it writes instead`,
    );
  }
  const ground = makeGround(request);
  const { packageFolders } = await install(request, command, { ...options, ground });
  giveTo(command.user, dir);
  giveTo(command.user, ground.dir);
  options.log({ level: "info", message: `Running ${command.text}` });
  const ended = new AbortController();
  const size = watchSize([dir, ground.dir], ended.signal);
  try {
    await Promise.race([size, run(request, command, { ...options, ground })]);
  } finally {
    ended.abort();
  }
  return writtenFiles(dir, { hashes: command.hashes, skip: packageFolders, log: options.log });
}

/** Directories of one command. */
interface Ground {
  dir: string;
  cacheDir: string;
  temporaryDir: string;
  /** Packages of npm, which are the same for everybody: in the cache of all builds. */
  packagesDir: string;
}

interface CommandOptions extends PipelineOptions {
  ground: Ground;
}

/** Other modules are downloaded for this command alone: those of others may be secret. */
function makeGround({ dir, cacheDir }: BuildRequest): Ground {
  const own = `${dir}.own`;
  const ground = {
    dir: own,
    cacheDir: join(own, "deno"),
    temporaryDir: join(own, "tmp"),
    packagesDir: join(cacheDir, "npm"),
  };
  for (const each of [ground.cacheDir, ground.temporaryDir, ground.packagesDir]) {
    Deno.mkdirSync(each, { recursive: true });
  }
  Deno.symlinkSync(ground.packagesDir, join(ground.cacheDir, "npm"));
  return ground;
}

/** With the network of builds, before there is anything that the deployment could do with it. */
async function install(
  request: BuildRequest,
  { text }: BuildCommandLine,
  { view, signal, ground }: CommandOptions,
): Promise<TenantConfig> {
  const { dir, configs, hasNodeModules, operatorFiles, deniedNetworks } = request;
  const originals = new Map(configs.map((path) => [path, Deno.readTextFileSync(join(dir, path))]));
  const config = prepareConfig(request);
  const options: DenoOptions = {
    paths: new AppPaths(dir),
    config,
    // One by one, because Deno then copies files of packages instead of linking them (link(2), EXDEV).
    writable: [dir, ground.dir, ground.packagesDir],
    cacheDir: ground.cacheDir,
    operatorFiles,
    deniedNetworks,
    view,
    signal,
  };
  const tools = new Set([text, ...originals.values()].flatMap((each) => each.match(TOOL) ?? []));
  if (!hasNodeModules && (configs.length > 0 || tools.size > 0)) await installTools([...tools], options);
  for (const path of config.rewritten) if (!originals.has(path)) Deno.removeSync(join(dir, path));
  for (const [path, content] of originals) Deno.writeTextFileSync(join(dir, path), content);
  return config;
}

/** Gives a directory and all in it to a user, but what has another name elsewhere. */
function giveTo(user: number | undefined, dir: string): void {
  if (user === undefined) return;
  Deno.chownSync(dir, user, user);
  for (const { name, isDirectory, isFile } of Deno.readDirSync(dir)) {
    const path = join(dir, name);
    if (isDirectory) giveTo(user, path);
    else if (isFile && Deno.lstatSync(path).nlink === 1) Deno.chownSync(path, user, user);
  }
}

async function run(
  { dir }: BuildRequest,
  { text, variables, user }: BuildCommandLine,
  { view, log, signal, ground }: CommandOptions,
): Promise<void> {
  const denoPath = Deno.execPath();
  const task: BuildCommand = { path: denoPath, args: ["task", "--quiet", "--eval", text] };
  const filter = await seccompForTools();
  const { path, args } = view(task, {
    readable: [ground.packagesDir],
    writable: [dir, ground.dir],
    untrusted: { temporaryDir: ground.temporaryDir, user, hasFilter: filter !== undefined },
  });
  const child = new Deno.Command(path, {
    args,
    cwd: dir,
    clearEnv: true,
    env: {
      ...Object.fromEntries(Object.entries(variables).filter(([name]) => !OF_C_LIBRARY.test(name))),
      CI: "true",
      NO_COLOR: "1",
      PATH: dirname(denoPath),
      HOME: ground.temporaryDir,
      DENO_DIR: ground.cacheDir,
      DENO_NO_UPDATE_CHECK: "1",
    },
    stdin: filter === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  // One that ends before it has read all of it says why by its exit.
  if (filter !== undefined) new Blob([filter]).stream().pipeTo(child.stdin).catch(() => {});
  let lines = 0;
  const logAll = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const line of linesOf(stream, MAX_LINE_LENGTH)) {
      if (lines++ < MAX_LINES) log({ level: "info", message: line.slice(0, MAX_LINE_LENGTH) });
    }
  };
  const [{ success, code }] = await Promise.all([child.status, logAll(child.stdout), logAll(child.stderr)]);
  if (lines > MAX_LINES) {
    log({ level: "warning", message: `${lines - MAX_LINES} more lines of the build command's output` });
  }
  if (!success) throw new BuildError(`Cannot build: "${text}" failed with exit code ${code}`);
}

/** @throws {BuildError} there is too much */
async function watchSize(dirs: readonly string[], signal: AbortSignal): Promise<never> {
  for (;;) {
    await delay(SIZE_INTERVAL_MS, undefined, { signal });
    for (const dir of dirs) {
      const { bytes, files } = await folderSize(dir, MAX_SIZE);
      if (bytes <= MAX_SIZE.bytes && files <= MAX_SIZE.files) continue;
      const most = `${MAX_SIZE.files} files or ${MAX_SIZE.bytes / 1024 ** 3} GiB`;
      throw new BuildError(`Cannot build: the build command needs more than ${most}`);
    }
  }
}
