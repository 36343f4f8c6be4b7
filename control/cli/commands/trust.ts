import { join, resolve } from "node:path";
import { carryOutTrust } from "../../certificates/carry_out_trust.ts";
import { openLocalCa } from "../../certificates/local_ca.ts";
import { planTrust } from "../../certificates/trust.ts";
import { inspectMachine } from "../../certificates/trust_machine.ts";
import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { localCaDir } from "../local_state.ts";

/** `isola trust`: the local CA of this machine's trust stores, because somebody asks for it. */
export const trust = defineCommand({
  name: "trust",
  summary: "Have this machine trust the certificates of its local HTTPS",
  usage: ["trust [--data-dir DIR] [--base-domain NAME]"],
  details:
    "`isola dev --https`, and a server whose base domain is localhost or below it, sign their certificates with a\n" +
    "CA of their own, made on first use. It can sign for localhost, the base domain and what is below them, for nothing\n" +
    "else. This adds it to the trust stores that this machine has, and prints each command that it runs, and how to undo\n" +
    "it. Programs with a trust store of their own are given the file, whose path is printed first.",
  options: {
    "data-dir": { type: "string", value: "DIR", help: "of a server; without it: the CA of `isola dev`" },
    "base-domain": { type: "string", value: "NAME", help: "the server's base domain (default: localhost)" },
  },
  remote: false,
  examples: ["isola trust", "isola trust --data-dir /var/lib/isola"],
  async run({ options, deps, terminal }) {
    const dataDir = options["data-dir"];
    const folder = dataDir === undefined ? localCaDir(deps.env) : join(resolve(deps.cwd, dataDir), "ca");
    if (folder === undefined) throw new CliError("failed", "Cannot find the local CA: HOME is not set");
    const ca = await openLocalCa({
      folder,
      baseDomain: options["base-domain"]?.toLowerCase() ?? "localhost",
    });
    terminal.print(ca.certificatePath);
    const steps = planTrust(ca, inspectMachine(deps.env));
    if (steps.length === 0) {
      throw new CliError("failed", "Cannot find a trust store that is known here: add that file to yours");
    }
    const print = (line: string) => terminal.note(line);
    if (!await carryOutTrust(steps, { path: deps.env.PATH ?? "", print })) {
      throw new CliError("failed", "Cannot have the local CA trusted everywhere: see above");
    }
  },
});
