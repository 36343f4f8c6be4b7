/**
 * The main isolate of a process in which many programs run, each in a Worker with permissions, sockets and a current
 * directory of its own. Nothing else is between them: what one does to the process it does to all.
 */
import { encodeLine, type FromSharedHost, readLines, type ToSharedHost } from "../protocol.ts";
import { confineHost } from "./confine_host.ts";
import { hostGuest } from "./host_guest.ts";
import { separateDirectories } from "./thread_directory.ts";

const keeper = await Deno.connect({ transport: "unix", path: Deno.env.get("CONTROL_SOCKET")! });
const toKeeper = keeper.writable.getWriter();
const enterDirectory = separateDirectories();
/** By the paths at which their keepers wait. */
const places = new Map<string, AbortController>();

function send(message: FromSharedHost) {
  toKeeper.write(encodeLine(message)).catch(() => Deno.exit(1));
}

async function open(control: string) {
  const place = new AbortController();
  places.set(control, place);
  try {
    await hostGuest({ control, prepare: ({ appDir }) => enterDirectory(appDir), signal: place.signal });
  } catch (error) {
    if (!place.signal.aborted) console.error(`Cannot go on with "${control}":`, error);
  }
  places.delete(control);
  send({ type: "closed", control });
}

try {
  for await (const line of readLines(keeper.readable)) {
    const message = JSON.parse(line) as ToSharedHost;
    if (message.type === "open") void open(message.control);
    else if (message.type === "close") places.get(message.control)?.abort();
    else {
      confineHost(message.confinement);
      send({ type: "confined" });
    }
  }
} finally {
  Deno.exit(0);
}
