import type { TrustMachine } from "./trust.ts";

/** Where browsers keep a folder for each profile, relative to the home: as installed, as snap, as flatpak. */
const PROFILE_FOLDERS = [
  ".mozilla/firefox",
  "snap/firefox/common/.mozilla/firefox",
  ".var/app/org.mozilla.firefox/.mozilla/firefox",
];

/** What {@linkcode planTrust} has to know of this machine. */
export function inspectMachine(env: Readonly<Record<string, string>>): TrustMachine {
  const home = env.HOME ?? "/";
  const folders = (env.PATH ?? "").split(":").filter((folder) => folder !== "");
  // Programs of administrators are often not on a user's PATH.
  const programFolders = [...folders, "/usr/sbin", "/sbin"];
  return {
    os: Deno.build.os,
    isRoot: Deno.uid() === 0,
    home,
    hasPath: exists,
    hasProgram: (name) => programFolders.some((folder) => exists(`${folder}/${name}`)),
    browserFolders: PROFILE_FOLDERS.flatMap((folder) => nssFolders(`${home}/${folder}`)),
  };
}

function nssFolders(folder: string): string[] {
  if (!exists(folder)) return [];
  const profiles = [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory);
  return profiles.map(({ name }) => `${folder}/${name}`).filter((profile) => exists(`${profile}/cert9.db`))
    .sort();
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
