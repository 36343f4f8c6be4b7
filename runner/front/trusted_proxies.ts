import { isIP } from "node:net";
import { canonicalAddress } from "./address.ts";
import { AddressSet } from "./address_set.ts";

/** Proxies whose word on their visitors counts. */
export interface TrustedProxy {
  /** IPv4 or IPv6 addresses, or networks such as `10.0.0.0/8`. */
  addresses: readonly string[];
  /** How they tell: in one field of each request, or before all bytes of a connection. */
  by: "x-forwarded-for" | "forwarded" | "proxy-protocol";
}

/** Who asks. */
export interface Client {
  /** Without brackets, and without the `::ffff:` of a mapped IPv4 address. */
  address: string;
  /** 0 = not told. */
  port: number;
  proto: "http" | "https";
}

/** What a request's fields say of its way here; `null` = nothing. */
export interface Way {
  forwardedFor: string | null;
  forwardedProto: string | null;
  forwarded: string | null;
}

/** `1.2.3.4`, `1.2.3.4:5`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5`. */
const NODE = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*))(?::(\d{1,5}))?$/i;
/** A parameter of a `Forwarded` element, and what ends it (RFC 7239 §4). */
const PARAMETER = /\s*([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*([;,]|$)/iy;
/** An IPv6 address with an IPv4 one in it, brackets and a port. Of more the expression above would take long. */
const MAX_NODE_LENGTH = 64;
const MAX_PORT = 65535;

/**
 * The proxies that the operator named. Each is believed in what it adds itself, at the right of a list; what is left of that
 * came with the request, and counts only as far as it is the word of another of them.
 */
export class TrustedProxies {
  readonly #addresses = new Map<TrustedProxy["by"], AddressSet>();

  /** @throws {TypeError} Some address is none. */
  constructor(proxies: readonly TrustedProxy[]) {
    for (const by of ["x-forwarded-for", "forwarded", "proxy-protocol"] as const) {
      const addresses = proxies.filter((proxy) => proxy.by === by).flatMap((proxy) => proxy.addresses);
      if (addresses.length > 0) this.#addresses.set(by, new AddressSet(addresses));
    }
  }

  /** Whether a connection of this peer begins with a PROXY header. */
  sendsProxyHeader(address: string): boolean {
    return this.#addresses.get("proxy-protocol")?.has(address) ?? false;
  }

  /** In which field of a request this peer names its visitors; `null` = in none. */
  fieldOf(address: string): "x-forwarded-for" | "forwarded" | null {
    for (const by of ["x-forwarded-for", "forwarded"] as const) {
      if (this.#addresses.get(by)?.has(address)) return by;
    }
    return null;
  }

  /**
   * The visitor behind `peer`, itself one unless it is such a proxy.
   *
   * @param isRelayed The first that is none of these proxies is a relay, who is believed in what it added itself, too.
   */
  clientOf(peer: Client, { forwardedFor, forwardedProto, forwarded }: Way, isRelayed = false): Client {
    let client = peer;
    let believed = isRelayed ? 1 : 0;
    const by = this.fieldOf(peer.address) ?? (isRelayed ? "x-forwarded-for" : null);
    if (by === null) return peer;
    const elements = by === "forwarded" ? elementsOf(forwarded).reverse() : null;
    const proto = elements === null ? last(forwardedProto) : elements[0]?.proto;
    for (const hop of elements ?? nodes(forwardedFor)) {
      if (this.fieldOf(client.address) === null && believed-- === 0) break;
      const node = parseNode(hop.node);
      if (node === null) break;
      client = { ...node, proto: client.proto };
    }
    return proto === "http" || proto === "https" ? { ...client, proto } : client;
  }
}

interface Hop {
  node: string;
  proto?: string;
}

/** The members of a list from the right, one by one: strangers make lists long, and little of them is believed. */
function* nodes(list: string | null): Generator<Hop> {
  for (let rest = list; rest !== null;) {
    const comma = rest.lastIndexOf(",");
    yield { node: rest.slice(comma + 1).trim() };
    rest = comma === -1 ? null : rest.slice(0, comma);
  }
}

/**
 * The elements of a `Forwarded` list. One that is malformed anywhere says nothing: a quote that a visitor left open would
 * swallow what the proxy added.
 */
function elementsOf(list: string | null): Hop[] {
  const hops: Hop[] = [];
  let hop: Hop = { node: "" };
  PARAMETER.lastIndex = 0;
  for (let at = 0; list !== null && at < list.length; at = PARAMETER.lastIndex) {
    const match = PARAMETER.exec(list);
    if (match === null) return [];
    const [, name = "", quoted, token = "", separator] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? token;
    if (name.toLowerCase() === "for") hop.node = value;
    else if (name.toLowerCase() === "proto") hop.proto = value.toLowerCase();
    if (separator === ";") continue;
    hops.push(hop);
    hop = { node: "" };
  }
  return hops;
}

function last(list: string | null): string | undefined {
  return list?.slice(list.lastIndexOf(",") + 1).trim().toLowerCase();
}

function parseNode(text: string): Pick<Client, "address" | "port"> | null {
  if (text.length > MAX_NODE_LENGTH) return null;
  const [, bracketed, bare = "", port = "0"] = NODE.exec(text) ?? [];
  const isValid = bracketed === undefined ? isIP(bare) !== 0 : isIP(bracketed) === 6;
  if (!isValid || Number(port) > MAX_PORT) return null;
  return { address: canonicalAddress(bracketed ?? bare), port: Number(port) };
}
