const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_ALLOW_PROTOCOL: "http:https",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_NO_LAZY_FETCH: "1",
  GIT_OPTIONAL_LOCKS: "0",
  DENO_DIR: "/tmp/deno",
  DENO_NO_UPDATE_CHECK: "1",
  NO_COLOR: "1",
};

/** git-config(1). What comes with a repository cannot override it. */
const CONFIG: Readonly<Record<string, string>> = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  // Contents past it are streamed, not held.
  "core.bigFileThreshold": "8m",
  "core.packedGitLimit": "128m",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "pack.threads": "1",
  "submodule.recurse": "false",
  "transfer.fsckObjects": "true",
  // Old tools made such, and they do no harm.
  "fetch.fsck.zeroPaddedFilemode": "ignore",
  "fetch.fsck.badTimezone": "ignore",
  // All objects in one file, which the kernel bounds.
  "transfer.unpackLimit": "1",
  "http.lowSpeedLimit": "1000",
  "http.lowSpeedTime": "30",
  "credential.helper": "",
  "safe.directory": "*",
};

/**
 * The whole environment of a git that works on a repository which is not trusted.
 *
 * @param config Further configuration, by key. Not arguments: those everybody on the machine can read.
 */
export function gitEnvironment(
  gitDir: string,
  config: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...ENVIRONMENT, ...configEnvironment({ ...CONFIG, ...config }), GIT_DIR: gitDir };
}

function configEnvironment(config: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(config);
  return Object.fromEntries([
    ["GIT_CONFIG_COUNT", String(entries.length)],
    ...entries.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ]);
}
