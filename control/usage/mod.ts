/**
 * What deployments use, for bills and charts: requests, CPU, time, memory and traffic in slots of 15 minutes, kept for a
 * year. It refuses to know how usage is measured and who may read it.
 */
export { type DeploymentUsage, UsageLedger, type UsageLedgerOptions } from "./usage_ledger.ts";
export type { UsageDelta } from "./usage_delta.ts";
export type { UsageRow, UsageScope } from "./usage_table.ts";
