/**
 * The program that `usage_crash_test.ts` kills: reports usage every few milliseconds, and prints how many requests it
 * has reported.
 */
import { openStore } from "../../store/mod.ts";
import { UsageLedger } from "../usage_ledger.ts";

const parameters = new URL(import.meta.url).searchParams;
const store = await openStore(parameters.get("dir")!);
const ledger = new UsageLedger(store.database, { flushMs: Number(parameters.get("flushMs")) });
const deploymentIds = parameters.getAll("deployment");

let reported = 0;
setInterval(() => {
  for (const id of deploymentIds) {
    ledger.add(id, { requests: 1, cpuMs: 0.5, uptimeMs: 5, ingressBytes: 0, egressBytes: 1, memoryBytes: 1 });
    reported++;
  }
  console.log(reported);
}, Number(parameters.get("everyMs")));
