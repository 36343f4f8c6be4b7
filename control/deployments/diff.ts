import type { Limits, Manifest, ManifestEntry } from "../model.ts";
import type { DeploymentRecord } from "../store/mod.ts";

/** The paths of each kind that are named; the rest are counted. */
const MAX_PATHS = 100;

/** What is in one and not in the other. */
export interface NamesDiff {
  added: string[];
  removed: string[];
  changed: string[];
}

/** A value before and after. */
export interface ValueDiff<T> {
  from: T;
  to: T;
}

/** What would be different with one deployment in the place of another. */
export interface DeploymentDiff {
  /** The first hundred paths of each kind, and how many there are of it. */
  files: NamesDiff & { total: Record<keyof NamesDiff, number> };
  /** Names alone. */
  variables: NamesDiff;
  databases: NamesDiff;
  /** The hostnames that are attached to either itself, and stay there. */
  attached: ValueDiff<string[]>;
  /** Of each that differs; `null` = the machine's default. */
  limits: Partial<Record<keyof Limits, ValueDiff<number | null>>>;
  /** Hosts that may be connected to; `null` as either = all public ones. Absent if they are the same. */
  net?: ValueDiff<string[] | null>;
  entrypoint?: ValueDiff<string>;
}

/** What {@linkcode diffDeployments} compares. */
export interface Compared {
  record: DeploymentRecord;
  files: Manifest;
  /** Hostnames. */
  attached: string[];
}

/** What is different between two deployments. */
export function diffDeployments(from: Compared, to: Compared): DeploymentDiff {
  const [before, after] = [from.record, to.record];
  return {
    files: filesDiff(from.files, to.files),
    variables: namesDiff(
      { ...before.projectEnv, ...before.env },
      { ...after.projectEnv, ...after.env },
      Object.is,
    ),
    databases: namesDiff(before.databases, after.databases, Object.is),
    attached: { from: from.attached, to: to.attached },
    limits: limitsDiff(before.limits, after.limits),
    ...changed("net", sorted(before.net), sorted(after.net)),
    ...changed("entrypoint", before.source.entrypoint, after.source.entrypoint),
  };
}

function filesDiff(from: Manifest, to: Manifest): DeploymentDiff["files"] {
  const { added, removed, changed } = namesDiff(from, to, isSameEntry);
  return {
    added: added.slice(0, MAX_PATHS),
    removed: removed.slice(0, MAX_PATHS),
    changed: changed.slice(0, MAX_PATHS),
    total: { added: added.length, removed: removed.length, changed: changed.length },
  };
}

function namesDiff<T>(
  from: Readonly<Record<string, T>>,
  to: Readonly<Record<string, T>>,
  isSame: (a: T, b: T) => boolean,
): NamesDiff {
  const diff: NamesDiff = { added: [], removed: [], changed: [] };
  for (const [name, value] of Object.entries(to)) {
    if (!Object.hasOwn(from, name)) diff.added.push(name);
    else if (!isSame(from[name]!, value)) diff.changed.push(name);
  }
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) diff.removed.push(name);
  for (const names of Object.values(diff)) names.sort();
  return diff;
}

function isSameEntry(a: ManifestEntry, b: ManifestEntry): boolean {
  if (a.kind === "file") return b.kind === "file" && a.sha256 === b.sha256;
  return b.kind === "symlink" && a.target === b.target;
}

function limitsDiff(from: Partial<Limits>, to: Partial<Limits>): DeploymentDiff["limits"] {
  const { added, removed, changed } = namesDiff({ ...from }, { ...to }, Object.is);
  const names = [...added, ...removed, ...changed] as (keyof Limits)[];
  return Object.fromEntries(names.map((name) => [name, { from: from[name] ?? null, to: to[name] ?? null }]));
}

function sorted(hosts: string[] | null): string[] | null {
  return hosts?.toSorted() ?? null;
}

function changed<Name extends string, T>(name: Name, from: T, to: T): Partial<Record<Name, ValueDiff<T>>> {
  return JSON.stringify(from) === JSON.stringify(to)
    ? {}
    : { [name]: { from, to } } as Record<Name, ValueDiff<T>>;
}
