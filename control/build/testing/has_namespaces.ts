import { succeeds } from "../succeeds.ts";

/** Without namespaces there is no view, and no build command runs. */
export const HAS_NAMESPACES = await succeeds("bwrap", ["--ro-bind", "/", "/", "/bin/true"]);
