import { z } from "zod";

/** A time as in RFC 3339, read as Unix ms; may be left out. For {@linkcode readQuery}. */
export const optionalTime = z.iso.datetime({ offset: true, message: "must be a time as in RFC 3339" })
  .transform((text) => Date.parse(text)).optional();
