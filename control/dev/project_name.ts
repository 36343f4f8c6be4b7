import { basename } from "node:path";

const MIN_LENGTH = 3;
const MAX_LENGTH = 26;
const SUFFIX = "app";
/** Of `{project}-{deploymentId}`, the host of a deployment. */
const ENDS_LIKE_DEPLOYMENT_ID = /-[a-z0-9]{12}$/;

/** A legal project name (INTERFACE §2) that still looks like the folder's: "/home/me/My Shop!" → "my-shop". */
export function projectName(folder: string): string {
  const legal = basename(folder).toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const name = trimmed(trimmed(legal).slice(0, MAX_LENGTH));
  if (name.length >= MIN_LENGTH && !ENDS_LIKE_DEPLOYMENT_ID.test(name)) return name;
  return trimmed(`${name.slice(0, MAX_LENGTH - SUFFIX.length - 1)}-${SUFFIX}`);
}

function trimmed(name: string): string {
  return name.replace(/^-+|-+$/g, "");
}
