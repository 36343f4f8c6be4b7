import { z } from "zod";
import { netTarget } from "../../api/names.ts";
import { isObject, MAX_VARIABLES, variableProblem } from "../../api/projects/variables.ts";
import { environmentProblem } from "../../deployments/environment.ts";
import type { IsolateConfig } from "../model.ts";
import { CallFailure } from "./call_failure.ts";

/** Comes with the answer to `boot`. */
export const CONFIG_HEADER = "x-deno-config";

/** Bytes of the header. */
export const MAX_CONFIG_BYTES = 64 * 1024;
const MAX_NET_TARGETS = 1000;
const MAX_LAYERS = 100;
/** Problems named in one message. */
const MAX_ISSUES = 5;
/** A program has these from the platform, whatever its origin says. */
const PLATFORM_VARIABLES: ReadonlySet<string> = new Set(["DENO_DEPLOYMENT_ID", "DENO_REGION"]);
/** Of modules that `layers` may bring. Others, such as `npm:`, lead elsewhere. */
const MODULE_PROTOCOLS = ["file:", "https:", "http:"];
/** What an eszip begins with; the version follows. */
const ESZIP_MAGIC = new TextEncoder().encode("ESZIP");

/** Configuration whose layer is `null` if only the body can say what it is. */
export type ParsedConfig = Omit<IsolateConfig, "layer"> & { layer: IsolateConfig["layer"] | null };

const specifier = z.string().transform((text, context) => {
  const url = URL.parse(text);
  if (url !== null && MODULE_PROTOCOLS.includes(url.protocol) && url.username === "" && url.password === "") {
    return url.href;
  }
  context.addIssue({
    code: "custom",
    message: "must be an absolute file:, https: or http: URL, without credentials",
  });
  return z.NEVER;
});

const envs = z.custom<Record<string, unknown>>(isObject, "must be an object").transform((given, context) => {
  const variables = Object.entries(given).filter(([name]) => !PLATFORM_VARIABLES.has(name));
  for (const [name, value] of variables.slice(0, MAX_VARIABLES)) {
    const message = variableProblem(name, value);
    if (message !== null) context.addIssue({ code: "custom", message, path: [name.slice(0, 200)] });
  }
  const env = Object.fromEntries(variables) as Record<string, string>;
  const message = context.issues.length > 0 ? null : environmentProblem(env);
  if (message !== null) context.addIssue({ code: "custom", message });
  return env;
});

const layer = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("bundle"), id: z.string(), specifier }),
  z.object({ kind: z.literal("eszip"), id: z.string() }),
]);

/** Each takes a while to be checked. */
const layers = z.array(z.unknown()).max(MAX_LAYERS, `must be at most ${MAX_LAYERS}`).pipe(z.array(layer));

const net = z.union([z.boolean(), z.array(z.unknown()).max(MAX_NET_TARGETS).pipe(z.array(netTarget))], {
  error: `must be true, false or a list of at most ${MAX_NET_TARGETS} hosts`,
});

const config = z.object({
  entrypoint: specifier,
  envs: envs.nullish(),
  layers: layers.nullish(),
  inline_layer: z.string().nullish(),
  permissions: z.object({ net: net.nullish() }).nullish(),
});

/**
 * Reads what an origin says of a deployment in its header {@linkcode CONFIG_HEADER}.
 *
 * @param header Its bytes, as characters.
 * @throws {CallFailure} `invalid`: every wrong field is named.
 */
export function parseIsolateConfig(header: string | null): ParsedConfig {
  if (header === null) {
    throw invalid(`its answer has no header "${CONFIG_HEADER}" with the configuration as JSON`);
  }
  if (header.length > MAX_CONFIG_BYTES) throw wrong(`it is longer than ${MAX_CONFIG_BYTES} bytes`);
  const result = config.safeParse(parseJson(header));
  if (!result.success) {
    const problems = result.error.issues.slice(0, MAX_ISSUES).map(({ path, message }) =>
      path.length === 0 ? message : `"${path.join(".")}": ${message}`
    );
    throw wrong(problems.join("; "));
  }
  const { entrypoint, envs, permissions } = result.data;
  return { entrypoint, env: envs ?? {}, layer: inlineLayer(result.data), net: readNet(permissions?.net) };
}

/** What a body is of whose layer the configuration says nothing. */
export function layerOf(body: Uint8Array, entrypoint: string): IsolateConfig["layer"] {
  const isEszip = ESZIP_MAGIC.every((byte, at) => body[at] === byte);
  return isEszip ? { kind: "eszip" } : { kind: "bundle", specifier: entrypoint };
}

function inlineLayer({ entrypoint, layers, inline_layer }: z.infer<typeof config>): ParsedConfig["layer"] {
  if (layers === null || layers === undefined || layers.length === 0) return null;
  const inline = layers.find(({ id }) => id === inline_layer) ??
    (layers.length === 1 && (inline_layer ?? null) === null ? layers[0] : undefined);
  if (inline === undefined) {
    throw wrong(`"inline_layer": must be the id of the layer that the body is, one of "layers"`);
  }
  if (layers.length > 1) {
    throw wrong(`"layers": must be the inline layer alone, because other layers cannot be fetched`);
  }
  if (inline.kind === "eszip") return { kind: "eszip" };
  if (inline.specifier === entrypoint) return { kind: "bundle", specifier: entrypoint };
  throw wrong(`"layers.0.specifier": must be the entrypoint, because a bundle is one module`);
}

function readNet(given: boolean | string[] | null | undefined): IsolateConfig["net"] {
  if (given === null || given === undefined) return undefined;
  if (typeof given === "boolean") return given ? null : [];
  return given.includes("*") ? null : [...new Set(given)];
}

function parseJson(header: string): unknown {
  try {
    return JSON.parse(decode(header));
  } catch {
    // The error would quote the header, which has variables.
    throw invalid(`its header "${CONFIG_HEADER}" is not JSON`);
  }
}

/** Header fields have bytes, not characters (RFC 9110 §5.5); what is no UTF-8 is Latin-1. */
function decode(header: string): string {
  const bytes = Uint8Array.from(header, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return header;
  }
}

function wrong(problem: string): CallFailure {
  return invalid(`its header "${CONFIG_HEADER}" is wrong: ${problem}`);
}

function invalid(message: string): CallFailure {
  return new CallFailure("invalid", message);
}
