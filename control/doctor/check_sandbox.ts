import { openSandboxHome } from "../../isolate/mod.ts";
import type { Config } from "../config/config.ts";
import type { Finding } from "./finding.ts";

/** What would stand between an app and this machine: found out as the server does, in a directory of its own. */
export async function checkSandbox({ sandbox }: Config): Promise<Finding> {
  const check = "sandbox";
  const dataDir = await Deno.makeTempDir({ prefix: "isola-doctor-" });
  try {
    await using home = await openSandboxHome({
      dataDir,
      denoPath: Deno.execPath(),
      layers: sandbox === "off" ? "off" : "auto",
    });
    const { level, detail, missing } = home.layers;
    const message = `${level}: ${detail}`;
    if (missing.length === 0) return { check, status: "ok", message };
    const status = level === "full" ? "warning" : sandbox === "required" ? "problem" : "warning";
    return { check, status, message, advice: missing.join(". ") };
  } catch (error) {
    return { check, status: "problem", message: (error as Error).message };
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}
