import { examine } from "../../doctor/examine.ts";
import type { Finding } from "../../doctor/finding.ts";
import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { CONFIG_OPTIONS, configOf } from "../server_options.ts";
import type { Color } from "../terminal.ts";

const SIGNS: Readonly<Record<Finding["status"], { sign: string; color: Color }>> = {
  ok: { sign: "ok     ", color: "green" },
  warning: { sign: "warning", color: "yellow" },
  problem: { sign: "PROBLEM", color: "red" },
};

/** `isola doctor`: what is wrong with this machine, and what to do about it. */
export const doctor = defineCommand({
  name: "doctor",
  summary: "Find out what is wrong with this machine",
  usage: ["doctor [OPTIONS]"],
  details:
    "Looks at the runtime, the sandbox's layers, ports, disk, state, clock and DNS, for a server with this configuration:\n" +
    "flags, environment and isola.yaml are read as `isola serve` does. Nothing is changed, and a server may run meanwhile.\n" +
    "The exit code is 1 if there is a problem.",
  options: { ...CONFIG_OPTIONS, json: { type: "boolean", help: "print JSON for programs" } },
  remote: false,
  examples: ["isola doctor", "isola doctor --config /etc/isola.yaml --json"],
  async run(context) {
    const { deps, terminal, json } = context;
    const findings = await examine(configOf(context, {}), deps.memoryBytes);
    const problems = findings.filter(({ status }) => status === "problem").length;
    if (json) terminal.printJson(findings);
    else for (const finding of findings) print(finding);
    if (problems > 0) {
      const message = `${problems} problem${problems === 1 ? "" : "s"} found on this machine`;
      throw new CliError("failed", message, { printed: true });
    }

    function print({ check, status, message, advice }: Finding): void {
      const { sign, color } = SIGNS[status];
      terminal.print(`${sign}  ${check.padEnd(15)}  ${message}`, color);
      if (advice !== undefined) terminal.print(`${"".padEnd(sign.length)}  ${"".padEnd(15)}  → ${advice}`);
    }
  },
});
