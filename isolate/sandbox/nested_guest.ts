/**
 * What a nested Worker imports before its program: the same as the guest did in its own realm. One realm has nothing of
 * another's.
 */
import { closeDoors } from "./doors.ts";
import { setUpWorkers } from "./nested_workers.ts";
import { routeOutbound } from "./outbound.ts";
import type { Target } from "./socks5.ts";

/** Stands before this module's code. */
declare const PROXY: Target | undefined;

if (PROXY !== undefined) routeOutbound(PROXY);
closeDoors();
setUpWorkers(import.meta.url);
