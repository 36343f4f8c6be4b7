import { CliError } from "../cli_error.ts";
import { defineCommand } from "../command.ts";
import { bashCompletions } from "../completions/bash_completions.ts";
import { completedCommand } from "../completions/completed_command.ts";
import { fishCompletions } from "../completions/fish_completions.ts";
import { zshCompletions } from "../completions/zsh_completions.ts";

const SHELLS = { bash: bashCompletions, zsh: zshCompletions, fish: fishCompletions };

/** `isola completions`: a script that makes a shell complete commands and options. */
export const completions = defineCommand({
  name: "completions",
  summary: "Print a script for a shell to complete commands and options",
  usage: ["completions bash|zsh|fish"],
  details:
    "To be read by the shell when it starts, for example in ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.",
  options: {},
  remote: false,
  examples: [
    "source <(isola completions bash)",
    "source <(isola completions zsh)",
    "isola completions fish | source",
  ],
  async run({ positionals: [shell = ""], terminal, commands }) {
    if (!Object.hasOwn(SHELLS, shell)) {
      const known = Object.keys(SHELLS).join(", ");
      throw new CliError("usage", `Cannot complete for shell "${shell}": known are ${known}`);
    }
    const script = SHELLS[shell as keyof typeof SHELLS];
    terminal.print(script((await commands()).map(completedCommand)).trimEnd());
  },
});
