import { ISOLA, type TestServer } from "./server.ts";

/** How the command ended. */
export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

/** What tells the command line which server it talks to, and nothing else of this machine's user. */
export function environmentOf({ controlUrl, token }: TestServer): Record<string, string> {
  return { ISOLA_URL: controlUrl, ISOLA_TOKEN: token, XDG_CONFIG_HOME: "/nonexistent", NO_COLOR: "1" };
}

/** Runs `isola` and waits for its end. */
export async function isola(args: string[], env: Record<string, string>): Promise<CommandResult> {
  const [path, ...rest] = ISOLA;
  const { code, stdout, stderr } = await new Deno.Command(path, {
    args: [...rest, ...args],
    env,
    stdin: "null",
  }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}
