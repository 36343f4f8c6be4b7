import type { DnsProviderConfig } from "../../../config/tls_config.ts";
import { CommandProvider } from "./command_provider.ts";
import type { DnsProvider } from "./dns_provider.ts";
import { Rfc2136Provider } from "./rfc2136_provider.ts";
import { WebhookProvider } from "./webhook_provider.ts";

/** @param env The whole environment of commands. */
export function createDnsProvider(config: DnsProviderConfig, env: Record<string, string>): DnsProvider {
  if ("command" in config) return new CommandProvider(config.command, env);
  if ("webhook" in config) return new WebhookProvider(config.webhook);
  return new Rfc2136Provider(config.rfc2136);
}
