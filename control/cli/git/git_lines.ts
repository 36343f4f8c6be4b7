import type { GitProvider } from "../../model.ts";
import { isLoopback } from "../loopback.ts";
import { formatSince } from "../quantity.ts";
import { printable, type Terminal } from "../terminal.ts";
import type { ApiGitLink } from "./git_calls.ts";

/** Where webhooks are registered, and which fields there are. */
const WEBHOOK_FORMS: Record<GitProvider, string> = {
  github:
    "Settings → Webhooks → Add webhook: Payload URL, Secret; content type application/json, just the push event",
  gitlab: "Settings → Webhooks → Add new webhook: URL, Secret token (or Signing token); trigger: push events",
  gitea: "Settings → Webhooks → Add webhook → Gitea: Target URL, Secret; trigger: push events",
  forgejo: "Settings → Webhooks → Add webhook → Forgejo: Target URL, Secret; trigger: push events",
  generic: "a POST whose body is signed in X-Hub-Signature-256 with HMAC-SHA256, or by Standard Webhooks",
};

/** Shows what to register so that pushes are deployed at once; a secret that is new only now. */
export function printWebhook({ webhook, provider }: ApiGitLink, terminal: Terminal): void {
  if (webhook === null) return;
  if (isLoopback(new URL(webhook.url).hostname)) {
    terminal.note(
      "The repository is looked at every few minutes. For pushes to be deployed at once, lead a name to the control\n" +
        "address of this server (ISOLA_CONTROL_HOSTNAMES), and register a webhook there.",
      "yellow",
    );
  }
  terminal.note("Register a webhook, so that pushes are deployed at once:", "bold");
  terminal.note(`  ${WEBHOOK_FORMS[provider]}`);
  terminal.print(`  URL     ${webhook.url}`);
  terminal.print(
    `  Secret  ${webhook.secret ?? "shown when it was made; a new one: isola git set --renew-secret"}`,
  );
}

/** Shows the git settings of a project and how it goes. */
export function printGitLink(link: ApiGitLink, terminal: Terminal): void {
  const { webhook, sync, commitStatus } = link;
  const rows: [string, string | null][] = [
    ["Repository", link.url ?? "none: deploy with git push"],
    ["Provider", link.url === null ? null : link.provider],
    ["API", link.apiUrl],
    ["Credential", link.credential && `${link.credential.username}, its token is not shown`],
    ["Production branch", link.productionBranch ?? "the repository's default branch"],
    ["Previews", link.previews ? "all other branches" : "off"],
    ["Root directory", link.rootDirectory || null],
    ["Entry point", link.entrypoint],
    ["Build command", link.buildCommand],
    [
      "Webhook",
      webhook &&
      `${webhook.url}, ${
        webhook.deliveredAt === null ? "none arrived yet" : `arrived ${formatSince(webhook.deliveredAt)} ago`
      }`,
    ],
    ["Looked at", sync.at && `${formatSince(sync.at)} ago`],
    [
      "Commit statuses",
      commitStatus.at && (commitStatus.error ?? `sent ${formatSince(commitStatus.at)} ago`),
    ],
  ];
  const given = rows.filter((row): row is [string, string] => row[1] !== null);
  const width = Math.max(...given.map(([name]) => name.length));
  for (const [name, value] of given) terminal.print(`${name.padEnd(width)}  ${printable(value)}`);
  if (sync.error !== null) terminal.print(printable(sync.error), "red");
  printBranches(link, terminal);
}

/** Shows what was done about the newest commit of each branch. */
export function printBranches({ branches }: ApiGitLink, terminal: Terminal): void {
  if (branches.length === 0) return;
  const rows = branches.map(({ branch, sha, state, deploymentId, note }) => [
    printable(branch),
    sha.slice(0, 12) || "-",
    state,
    printable(deploymentId ?? note ?? ""),
  ]);
  terminal.printTable(["BRANCH", "COMMIT", "STATE", "DEPLOYMENT"], rows);
}
