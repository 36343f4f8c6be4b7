import type { BuildLog } from "../../model.ts";

/** Lines that are shown: the last ones. */
const MAX_ERRORS_SHOWN = 20;

/** Why a build failed: the errors of its log. */
export async function buildErrors(lines: AsyncIterable<BuildLog> | Iterable<BuildLog>): Promise<string> {
  const errors: string[] = [];
  for await (const { level, message } of lines) {
    if (level !== "error") continue;
    errors.push(message);
    if (errors.length > MAX_ERRORS_SHOWN) errors.shift();
  }
  return errors.join("\n") || "The build failed, and its log does not say why";
}
