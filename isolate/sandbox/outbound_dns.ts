/** `node:dns` by way of the egress proxy. */
import { DnsError, type DnsErrorCode, resolveName } from "./egress_client.ts";
import { nodeBinding } from "./node_binding.ts";
import type { PlaceholderNames } from "./placeholder_names.ts";
import type { Target } from "./socks5.ts";

/** What `node:dns` is made of (ext/node/polyfills/internal_binding/cares_wrap.ts). */
interface Binding {
  getaddrinfo(request: LookupRequest, hostname: string, family: number, hints: number, order: number): number;
  /** One for each `dns.Resolver`. */
  ChannelWrap: { prototype: Record<string, (request: QueryRequest, name: string) => number> };
}

interface LookupRequest {
  /** Not set by `dns.promises`. */
  callback?: object;
  oncomplete(error: number, addresses: string[]): void;
}

interface QueryRequest {
  /** Whether times to live are asked for. */
  ttl: boolean;
  oncomplete(error: 0 | string, records: unknown): void;
}

// deno-lint-ignore no-explicit-any -- its fields depend on its type
type DnsRecord = any;

/** `DNS_ORDER_IPV6_FIRST` */
const IPV6_FIRST = 2;
/** libuv's errors for the proxy's. */
const LOOKUP_ERRORS: Record<DnsErrorCode, number> = {
  ENOTFOUND: -3008, // EAI_NONAME
  EREFUSED: -1, // EPERM, as where a permission is missing
  ETIMEOUT: -3001, // EAI_AGAIN
  EBADQUERY: -3008,
};

/** A resolver's methods: the type to ask for, and what `node:dns` makes of each record. */
const QUERIES: Record<string, [type: string, convert: (record: DnsRecord, ttl: boolean) => unknown]> = {
  queryA: ["A", convertAddress],
  queryAaaa: ["AAAA", convertAddress],
  queryCname: ["CNAME", (name) => name],
  queryTxt: ["TXT", (strings) => strings],
  queryNs: ["NS", withoutDot],
  queryPtr: ["PTR", withoutDot],
  queryCaa: ["CAA", ({ critical, tag, value }) => ({ [tag]: value, critical: critical ? 128 : 0 })],
  queryMx: ["MX", ({ preference, exchange }) => ({ priority: preference, exchange: withoutDot(exchange) })],
  querySrv: ["SRV", ({ target, ...rest }) => ({ ...rest, name: withoutDot(target) })],
  querySoa: ["SOA", ({ mname, rname, minimum, ...rest }) => ({
    nsname: withoutDot(mname),
    hostmaster: withoutDot(rname),
    ...rest,
    minttl: minimum,
  })],
};
const NOT_ANSWERED = ["queryAny", "queryNaptr", "getHostByAddr"];

/** Replaces its resolver from now on. Whichever name servers it is told of, it is the proxy that answers. */
export function routeNodeDns(proxy: Target, names: PlaceholderNames): void {
  const binding = nodeBinding<Binding>("cares_wrap");
  const { prototype } = binding.ChannelWrap;

  binding.getaddrinfo = (request, hostname, family, _hints, order) => {
    if (isForConnect(request)) {
      queueMicrotask(() => request.oncomplete(0, [names.addressOf(hostname)]));
    } else {
      void lookUp(hostname, family, order === IPV6_FIRST).then(
        (addresses) => request.oncomplete(0, addresses),
        (error) => request.oncomplete(LOOKUP_ERRORS[codeOf(error)], []),
      );
    }
    return 0;
  };

  for (const [method, [type, convert]] of Object.entries(QUERIES)) {
    prototype[method] = (request, name) => {
      void resolveName(proxy, name, type).then(
        (records) => {
          const converted = records.map((record) => convert(record, request.ttl));
          request.oncomplete(0, type === "SOA" ? converted[0] : converted);
        },
        (error) => request.oncomplete(codeOf(error), []),
      );
      return 0;
    };
  }
  for (const method of NOT_ANSWERED) {
    prototype[method] = (request) => {
      queueMicrotask(() => request.oncomplete("ENOTIMP", []));
      return 0;
    };
  }

  async function lookUp(hostname: string, family: number, ipv6First: boolean): Promise<string[]> {
    const types = family === 4 ? ["A"] : family === 6 ? ["AAAA"] : ipv6First ? ["AAAA", "A"] : ["A", "AAAA"];
    const answers = await Promise.allSettled(types.map((type) => resolveName(proxy, hostname, type)));
    const addresses = answers.flatMap((answer) =>
      answer.status === "fulfilled" ? answer.value as string[] : []
    );
    if (addresses.length > 0) return addresses;
    throw answers.find((answer) => answer.status === "rejected")?.reason ??
      new DnsError("ENOTFOUND", `Cannot resolve "${hostname}": no addresses`);
  }
}

/** Whether it is `net.connect` that looks a name up: its callback is marked (`kPermTokenSink`). */
function isForConnect({ callback }: LookupRequest): boolean {
  if (callback === undefined) return false;
  return Object.getOwnPropertySymbols(callback).some(({ description }) => description === "kPermTokenSink");
}

/** Whatever else goes wrong on the way to the proxy is that it did not answer. */
function codeOf(error: unknown): DnsErrorCode {
  return error instanceof DnsError ? error.code : "ETIMEOUT";
}

/** How long an address lives is not known here: not long. */
function convertAddress(address: string, ttl: boolean): unknown {
  return ttl ? { address, ttl: 0 } : address;
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, "");
}
