/** What is known of a machine on which a CA is to be trusted. */
export interface TrustMachine {
  os: typeof Deno.build.os;
  isRoot: boolean;
  home: string;
  /** Whether a program is there, or a file or folder. */
  hasProgram(name: string): boolean;
  hasPath(path: string): boolean;
  /** Folders with NSS databases of Firefox and of browsers from packages that bring their own. */
  browserFolders: readonly string[];
}

/** The certificate to be trusted. */
export interface TrustedCa {
  name: string;
  certificatePath: string;
}

/** A trust store, and what changes it. */
export interface TrustStep {
  /** Who looks there. */
  store: string;
  /** Programs and their arguments, in order. */
  commands: readonly (readonly string[])[];
  /** The same, to take it back. */
  undo: readonly (readonly string[])[];
}

/** A distribution's own trust store, for programs such as curl. */
interface SystemStore {
  store: string;
  folder: string;
  program: string;
  update: readonly string[];
  updateAfterRemoval: readonly string[];
}

const SYSTEM_STORES: readonly SystemStore[] = [
  {
    store: "the system (Debian, Ubuntu)",
    folder: "/usr/local/share/ca-certificates",
    program: "update-ca-certificates",
    update: ["update-ca-certificates"],
    updateAfterRemoval: ["update-ca-certificates", "--fresh"],
  },
  {
    store: "the system (Fedora, RHEL)",
    folder: "/etc/pki/ca-trust/source/anchors",
    program: "update-ca-trust",
    update: ["update-ca-trust", "extract"],
    updateAfterRemoval: ["update-ca-trust", "extract"],
  },
];

/** How a CA comes to be trusted on a machine: nothing is done yet. Empty = this machine has no store that is known here. */
export function planTrust(ca: TrustedCa, machine: TrustMachine): TrustStep[] {
  if (machine.os === "darwin") return [keychainStep(ca, machine)];
  if (machine.os !== "linux") return [];
  const system = SYSTEM_STORES
    .filter(({ program, folder }) => machine.hasProgram(program) && machine.hasPath(folder))
    .map((store) => systemStep(ca, machine, store));
  if (!machine.hasProgram("certutil")) return system;
  const chromium = `${machine.home}/.pki/nssdb`;
  const browsers = machine.browserFolders.filter((folder) => folder !== chromium);
  return [
    ...system,
    nssStep(ca, chromium, {
      store: "Chromium and Chrome",
      isMissing: !machine.hasPath(`${chromium}/cert9.db`),
    }),
    ...browsers.map((folder) =>
      nssStep(ca, folder, { store: `the browser of "${folder}"`, isMissing: false })
    ),
  ];
}

/** The user's own keychain, which needs no administrator. */
function keychainStep({ certificatePath }: TrustedCa, { home }: TrustMachine): TrustStep {
  const keychain = `${home}/Library/Keychains/login.keychain-db`;
  return {
    store: "the keychain (Safari, Chrome, curl)",
    commands: [["security", "add-trusted-cert", "-r", "trustRoot", "-k", keychain, certificatePath]],
    undo: [["security", "remove-trusted-cert", certificatePath]],
  };
}

function systemStep(
  { name, certificatePath }: TrustedCa,
  { isRoot, hasProgram }: TrustMachine,
  { store, folder, update, updateAfterRemoval }: SystemStore,
): TrustStep {
  const asRoot = (command: readonly string[]) =>
    isRoot || !hasProgram("sudo") ? command : ["sudo", "--", ...command];
  const path = `${folder}/${fileName(name)}`;
  return {
    store,
    commands: [asRoot(["install", "-m", "0644", certificatePath, path]), asRoot(update)],
    undo: [asRoot(["rm", "-f", path]), asRoot(updateAfterRemoval)],
  };
}

function nssStep(
  { name, certificatePath }: TrustedCa,
  folder: string,
  { store, isMissing }: { store: string; isMissing: boolean },
): TrustStep {
  const database = ["-d", `sql:${folder}`];
  const create = [["mkdir", "-p", folder], ["certutil", ...database, "-N", "--empty-password"]];
  return {
    store,
    commands: [
      ...(isMissing ? create : []),
      // For servers; not for mail, not for code.
      ["certutil", ...database, "-A", "-t", "C,,", "-n", name, "-i", certificatePath],
    ],
    undo: [["certutil", ...database, "-D", "-n", name]],
  };
}

function fileName(name: string): string {
  return `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.crt`;
}
