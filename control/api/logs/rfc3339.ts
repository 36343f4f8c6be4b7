import { z } from "zod";

/** A time as in RFC 3339. */
export const rfc3339 = z.iso.datetime({ offset: true, message: "must be a time as in RFC 3339" });

/** One that is read as Unix ms. */
export const unixMs = rfc3339.transform((text) => Date.parse(text));

/** One that may be left out. For {@linkcode readQuery}. */
export const optionalTime = unixMs.optional();
