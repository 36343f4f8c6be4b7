import { openOwnFiles } from "../certificates/own_files.ts";
import type { Config } from "../config/config.ts";
import type { Finding } from "./finding.ts";

const DAY_MS = 86_400_000;
/** Whoever renews it has done so by then. */
const SOON_MS = 14 * DAY_MS;

/** Whether the operator's own certificates can be used: without any one of them the server does not start. */
export async function checkCertificates({ tls }: Config): Promise<Finding[]> {
  return await Promise.all(tls.certificates.map(async (files): Promise<Finding> => {
    const check = "certificate";
    const advice = "Renew it, or take it out of tls.certificates";
    try {
      await using own = await openOwnFiles([files], { warn() {} });
      const { names, expiresAt } = own.all()[0]!;
      const message = `${names.join(", ")}, until ${expiresAt.slice(0, 10)}, of "${files.cert}"`;
      const leftMs = Date.parse(expiresAt) - Date.now();
      if (leftMs > SOON_MS) return { check, status: "ok", message };
      return { check, status: leftMs > 0 ? "warning" : "problem", message, advice };
    } catch (error) {
      return { check, status: "problem", message: (error as Error).message, advice };
    }
  }));
}
