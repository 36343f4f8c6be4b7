import { z } from "zod";
import type { Listed, ListOptions } from "../store/mod.ts";

/** The query parameters of a list, for {@linkcode readQuery}: the document's names, ranges and defaults. */
export function listQuery<const Sort extends string>(sorts: readonly Sort[], defaultSort: NoInfer<Sort>) {
  return z.object({
    page: z.coerce.number().int().min(1).default(1),
    limit: z.coerce.number().int().min(1).max(100).default(20),
    q: z.string().optional().transform((q) => q ?? null),
    sort: z.enum(sorts).optional().transform((sort): Sort => sort ?? defaultSort),
    order: z.enum(["asc", "desc"]).default("asc"),
  });
}

/** The `Link` header of one page of a list (RFC 8288): `next` and `prev` if there are such, `first` and `last`. */
export function pageLinks(url: string, options: ListOptions<string>, listed: Listed<unknown>): string {
  const last = Math.max(1, Math.ceil(listed.total / options.limit));
  const links: string[] = [];
  const add = (rel: string, page: number) => links.push(link(url, "page", String(page), rel));
  if (options.page < last) add("next", options.page + 1);
  if (options.page > 1) add("prev", Math.min(options.page - 1, last));
  add("first", 1);
  add("last", last);
  return links.join(", ");
}

/** The `Link` header that leads on from a page that ended at `cursor`. */
export function cursorLink(url: string, cursor: string): string {
  return link(url, "cursor", cursor, "next");
}

function link(url: string, parameter: string, value: string, rel: string): string {
  const target = new URL(url);
  target.searchParams.set(parameter, value);
  return `<${target.href}>; rel="${rel}"`;
}
