/** The thread that reads logs: one short step for each reader in turn, so that nobody waits for a long search. */
import { DatabaseSync } from "node:sqlite";
import { Database } from "../store/database.ts";
import { Turn } from "../scheduling/turn.ts";
import type { FromReader, ToReader } from "./log_query.ts";
import { LogScan } from "./log_scan.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ToReader>) => void;
  postMessage(message: FromReader, transfer: ArrayBuffer[]): void;
};

let path = "";
let database: Database | undefined;
const scans = new Map<number, LogScan>();
let isTurning = false;

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "open":
      path = data.path;
      return;
    case "read":
      answering(data.id, () => scans.set(data.id, new LogScan(database ??= openReadOnly(), data.query)));
      return void takeTurns();
    case "cancel":
      scans.delete(data.id);
  }
};

async function takeTurns(): Promise<void> {
  if (isTurning) return;
  isTurning = true;
  const turn = new Turn();
  while (scans.size > 0) {
    for (const [id, scan] of scans) answering(id, () => finish(id, scan));
    if (turn.isOver()) await turn.next(); // Messages come in here.
  }
  isTurning = false;
}

function finish(id: number, scan: LogScan): void {
  if (!scan.step()) return;
  scans.delete(id);
  const page = scan.page();
  scope.postMessage({ type: "page", id, page }, [page.text.buffer]);
}

function answering(id: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    scans.delete(id);
    scope.postMessage({ type: "failed", id, message: (error as Error).message }, []);
  }
}

function openReadOnly(): Database {
  const sqlite = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  sqlite.function(
    "contains",
    { deterministic: true },
    (text, lowerCase) => Number(String(text).toLowerCase().includes(String(lowerCase))),
  );
  return new Database(sqlite);
}
