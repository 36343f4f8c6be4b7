/** The program that `event_spool_test.ts` kills: appends an event every few milliseconds, and prints how many it has. */
import { EventSpool } from "../event_spool.ts";
import { ORIGIN, usageEvent } from "./test_events.ts";

const spool = EventSpool.open(new URL(import.meta.url).searchParams.get("dir")!);

let appended = 0;
setInterval(() => {
  spool.append(ORIGIN, usageEvent(appended++));
  console.log(appended);
}, 5);
