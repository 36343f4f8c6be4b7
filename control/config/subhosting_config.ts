import { resolve } from "node:path";
import { z } from "zod";
import { netTarget } from "../api/names.ts";
import type { SubhosterConfig } from "../subhosting/model.ts";
import { limits, path, region, text } from "./values.ts";

/** Of a secret, in UTF-8; RFC 7518 §3.2 wants as many bytes as the hash has. */
const MIN_SECRET_BYTES = 32;
const MAX_SUBHOSTERS = 256;
const MAX_RPC_ROOTS = 100;

const secret = () => text(/^[^]+$/, "a text that is not empty");

/** Relays that are listened to, as they are written. */
export const SUBHOSTING = z.array(
  z.strictObject({
    id: text(
      /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/,
      '1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-", such as "acme"',
    ),
    secret: secret().optional(),
    secretFile: path().optional(),
    nextSecret: secret().optional(),
    nextSecretFile: path().optional(),
    rpcRoots: z.array(rpcRoot(), "must be a list of URLs").min(1, "must name at least one URL").max(
      MAX_RPC_ROOTS,
      `must be at most ${MAX_RPC_ROOTS}`,
    ),
    limits: limits().optional(),
    permissions: z.strictObject({ net: z.array(netTarget, "must be a list of hosts, [] for none") }).partial()
      .optional(),
    region: region().optional(),
  }).superRefine((subhoster, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if ((subhoster.secret === undefined) === (subhoster.secretFile === undefined)) {
      refuse("must have either secret or secretFile");
    }
    if (subhoster.nextSecret !== undefined && subhoster.nextSecretFile !== undefined) {
      refuse("must not have both nextSecret and nextSecretFile");
    }
  }),
  "must be a list of subhosters, each with id, secret and rpcRoots",
).max(MAX_SUBHOSTERS, `must be at most ${MAX_SUBHOSTERS}`).superRefine((subhosters, context) => {
  const ids = new Set<string>();
  for (const [index, { id }] of subhosters.entries()) {
    if (ids.has(id)) {
      context.addIssue({
        code: "custom",
        message: "must be the id of one subhoster only",
        path: [index, "id"],
      });
    }
    ids.add(id);
  }
});

/** Where an origin answers: tokens name it, or what is below it. */
function rpcRoot() {
  return z.string("must be a URL").transform((raw, context): string => {
    const url = URL.parse(raw);
    const refuse = (message: string, isSecret = false): never => {
      context.addIssue({ code: "custom", message, params: { isSecret } });
      return z.NEVER;
    };
    if (raw.includes("@")) return refuse("must have no user and no password: requests are signed", true);
    if (url === null || !["http:", "https:"].includes(url.protocol)) {
      return refuse('must be a URL that begins with "https://" or "http://"');
    }
    if (/[?#]/.test(url.href)) return refuse("must have no query and no fragment");
    if (!url.href.endsWith("/")) return refuse(`must end in "/", such as "${url.href}/"`);
    return url.href;
  });
}

/** Where {@linkcode readSubhosters} finds what the file only names. */
export interface SecretFiles {
  /** Relative paths start here. */
  folder: string;
  /** Returns a file's text. */
  readFile(path: string): string;
  /** Told of each file that is of no use. */
  refuse(problem: string): void;
}

/** Fills in what was not said, and reads the secrets that are in files. */
export function readSubhosters(given: z.output<typeof SUBHOSTING>, files: SecretFiles): SubhosterConfig[] {
  return given.map((subhoster, index): SubhosterConfig => {
    const { id, rpcRoots, limits = {}, permissions, region = null } = subhoster;
    const net = permissions?.net ?? null;
    const label = `subhosting.${index}`;
    return {
      id,
      secret: subhoster.secret ?? readSecret(`${label}.secretFile`, subhoster.secretFile!, files),
      nextSecret: subhoster.nextSecret ??
        (subhoster.nextSecretFile === undefined
          ? null
          : readSecret(`${label}.nextSecretFile`, subhoster.nextSecretFile, files)),
      rpcRoots: [...new Set(rpcRoots)],
      limits,
      net: net === null || net.includes("*") ? null : [...new Set(net)],
      region,
    };
  });
}

function readSecret(label: string, path: string, { folder, readFile, refuse }: SecretFiles): string {
  const file = resolve(folder, path);
  try {
    const secret = readFile(file).replace(/\r?\n$/, "");
    if (secret === "") refuse(`Cannot use ${label} "${file}": it is empty`);
    return secret;
  } catch (error) {
    refuse(`Cannot read ${label} "${file}": ${(error as Error).message}`);
    return "";
  }
}

/** Says of each secret that is easier to guess than what is signed with it, so. */
export function weakSecrets(subhosters: readonly SubhosterConfig[]): string[] {
  return subhosters.flatMap(({ id, secret, nextSecret }) =>
    Object.entries({ secret, nextSecret }).filter(([, value]) => value !== null && isWeak(value)).map((
      [name],
    ) =>
      `${name} of subhoster "${id}" has fewer than ${MIN_SECRET_BYTES} bytes: it may be guessed from one token`
    )
  );
}

function isWeak(secret: string): boolean {
  return new TextEncoder().encode(secret).length < MIN_SECRET_BYTES;
}
