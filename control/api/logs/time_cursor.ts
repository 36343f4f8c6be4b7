import { z } from "zod";
import type { LogPage } from "../../logs/mod.ts";

/** The position of an entry of a log. */
type TimeCursor = NonNullable<LogPage["next"]>;

/** The query parameter `cursor`, as an earlier answer had it; may be left out. For {@linkcode readQuery}. */
export const optionalCursor = z.string().transform((text, context): TimeCursor => {
  const [timeMs, id] = text.split("-").map((part) => parseInt(part, 36));
  if (Number.isSafeInteger(timeMs) && Number.isSafeInteger(id)) return { timeMs: timeMs!, id: id! };
  context.addIssue({ code: "custom", message: "must be a cursor of an earlier answer" });
  return z.NEVER;
}).optional();

/** A position as {@linkcode optionalCursor} reads it. */
export function writeCursor({ timeMs, id }: TimeCursor): string {
  return `${timeMs.toString(36)}-${id.toString(36)}`;
}
