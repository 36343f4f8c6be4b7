import { deviceLogin } from "../access/device_login.ts";
import { readOwnToken } from "../access/token_calls.ts";
import { CliError } from "../cli_error.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { givenToken, saveCredentials } from "../credentials.ts";

const MAX_NAME_LENGTH = 60;

/** `isola login`: remembers a server and a token of this user. */
export const login = defineCommand({
  name: "login",
  summary: "Remember a server and an access token",
  usage: ["login [--url URL]", "login --token TOKEN [--url URL]"],
  details:
    "Without a token, on a terminal, it shows an address to open in a browser, where somebody who has a token lets this\n" +
    "command line in: it gets a token of its own. With --token it checks that token. Server and token are written to\n" +
    "isola/credentials.json in XDG_CONFIG_HOME or ~/.config, readable by this user alone. Set ISOLA_TOKEN instead of\n" +
    "--token to keep it out of the process list.",
  options: {},
  remote: true,
  examples: [
    "isola login --url https://control.example.com",
    "ISOLA_TOKEN=… isola login --url https://control.example.com",
  ],
  async run(context) {
    const { options, client, json, terminal, deps } = context;
    const { url } = client();
    // Said now, not remembered: who logs in again wants another one.
    const given = givenToken(options as { token?: string }, deps.env);
    const { name, role, token } = given === undefined
      ? await inBrowser(context)
      : { ...await readOwnToken(client()), token: given };
    const path = saveCredentials({ url, token }, deps.env);
    if (json) terminal.printJson({ url, name, role, path });
    else terminal.print(`Logged in to ${url} as "${name}" (${role}); saved in ${path}`);
  },
});

async function inBrowser({ client, terminal, deps }: CommandContext) {
  if (!terminal.isInteractive) {
    const words = "give --token or ISOLA_TOKEN, or log in with a browser from a terminal";
    throw new CliError("usage", `Cannot log in without a token: ${words}`);
  }
  return await deviceLogin(client(), {
    client: `isola on ${Deno.hostname()}`.slice(0, MAX_NAME_LENGTH),
    show(url, userCode) {
      terminal.note(`Open ${url}`, "bold");
      terminal.note(`and let this command line in if the page shows the code ${userCode}. Waiting …`);
    },
    signal: deps.signal,
  });
}
