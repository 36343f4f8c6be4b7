import { defineCommand } from "../command.ts";
import { CliError } from "../cli_error.ts";
import { resolveCredentials, saveCredentials } from "../credentials.ts";

/** `isola login`: remembers a server and a token of this user. */
export const login = defineCommand({
  name: "login",
  summary: "Remember a server and an access token",
  usage: ["login --url URL --token TOKEN"],
  details:
    "Checks the token and writes both to isola/credentials.json in XDG_CONFIG_HOME or ~/.config, readable by\n" +
    "this user alone. Set ISOLA_TOKEN instead of --token to keep it out of the process list.",
  options: {},
  remote: true,
  examples: ["ISOLA_TOKEN=… isola login --url https://control.example.com"],
  async run({ options, client, json, terminal, deps }) {
    const { token } = resolveCredentials(options as { url?: string; token?: string }, deps.env);
    if (!token) throw new CliError("usage", "Cannot log in without a token: give --token or ISOLA_TOKEN");
    const { url } = client();
    const { name } = await client().organization();
    const path = saveCredentials({ url, token }, deps.env);
    if (json) terminal.printJson({ url, organization: name, path });
    else terminal.print(`Logged in to ${url} (${name}); saved in ${path}`);
  },
});
