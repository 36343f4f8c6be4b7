import type { SecretBox } from "../../secrets/secret_box.ts";
import type { IsolateConfig } from "../model.ts";

/** What is known of a deployment whose modules are kept. */
export interface KeptProgram {
  /** Specifier of the module to import. */
  entry: string;
  /** Its file among `files`. */
  entryFile: string;
  env: Record<string, string>;
  net: IsolateConfig["net"];
  /** The modules' index, and their sources. */
  files: readonly string[];
  /** Of these. */
  digest: string;
  bytes: number;
}

/** As it is written: nobody but this server can read it, or make another's of it. */
export function sealProgram(box: SecretBox, key: string, program: KeptProgram): string {
  return box.seal(JSON.stringify(program), placeOf(key));
}

/**
 * The opposite of {@linkcode sealProgram}.
 *
 * @throws {Error} It is not that deployment's, or is damaged.
 */
export function openProgram(box: SecretBox, key: string, sealed: string): KeptProgram {
  return JSON.parse(box.open(sealed, placeOf(key))) as KeptProgram;
}

function placeOf(key: string): string {
  return `subhosting.program ${key}`;
}
