/**
 * The server of a static site, deployed beside its files as `_isola_static.ts` with the list of them,
 * `_isola_static.json`. Only listed files are served, so no path leads out of the site.
 */

type Listing = Record<string, { etag: string; size: number }>;

const listing: Listing = JSON.parse(Deno.readTextFileSync(new URL("./_isola_static.json", import.meta.url)));
const files = new Map(Object.entries(listing));

/** https://mimesniff.spec.whatwg.org and the IANA registry; everything else is a download. */
const CONTENT_TYPES: Record<string, string> = {
  avif: "image/avif",
  css: "text/css; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  gif: "image/gif",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  map: "application/json; charset=utf-8",
  md: "text/markdown; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  ogg: "audio/ogg",
  otf: "font/otf",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  ttf: "font/ttf",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  wav: "audio/wav",
  webm: "video/webm",
  webmanifest: "application/manifest+json",
  webp: "image/webp",
  woff: "font/woff",
  woff2: "font/woff2",
  xml: "application/xml; charset=utf-8",
};

export default { fetch: serve };

async function serve(request: Request): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("Method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const { pathname, search } = new URL(request.url);
  const path = decodedPath(pathname);
  if (path === undefined) return new Response("Bad request\n", { status: 400 });
  const found = [path, `${path}.html`].find((name) => files.has(name)) ?? indexOf(path);
  if (found === undefined) return await notFound(request);
  if (found === `${path}/index.html`) {
    // Relative links of an index page start at its folder, so the folder's address ends in "/".
    return new Response(null, { status: 308, headers: { location: lastSegment(pathname) + "/" + search } });
  }
  return await sendFile(found, request);
}

/** "/docs/" → "docs/". `undefined` if it is not valid percent-encoded UTF-8. */
function decodedPath(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname.slice(1));
  } catch {
    return undefined;
  }
}

function indexOf(path: string): string | undefined {
  const index = path === "" || path.endsWith("/") ? `${path}index.html` : `${path}/index.html`;
  return files.has(index) ? index : undefined;
}

/** Relative, with "./" in front: "//evil.example" as a path must not become another site's address. */
function lastSegment(pathname: string): string {
  return "./" + pathname.slice(pathname.lastIndexOf("/") + 1);
}

async function notFound(request: Request): Promise<Response> {
  if (!files.has("404.html")) return new Response("Not found\n", { status: 404 });
  const body = request.method === "HEAD" ? null : (await open("404.html")).readable;
  return new Response(body, { status: 404, headers: { "content-type": CONTENT_TYPES.html! } });
}

/** Conditional and range requests: RFC 9110 §13, §14. */
async function sendFile(path: string, request: Request): Promise<Response> {
  const { etag, size } = files.get(path)!;
  const headers = new Headers({
    "accept-ranges": "bytes",
    "cache-control": "public, max-age=0, must-revalidate",
    "content-type": CONTENT_TYPES[/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? ""] ??
      "application/octet-stream",
    etag,
  });
  if (matches(request.headers.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  const range = parseRange(request, etag, size);
  if (range === "unsatisfiable") {
    headers.set("content-range", `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  const { start, end } = range ?? { start: 0, end: size };
  if (range) headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
  headers.set("content-length", String(end - start));
  const body = request.method === "HEAD" ? null : await readSlice(path, start, end - start);
  return new Response(body, { status: range ? 206 : 200, headers });
}

function matches(ifNoneMatch: string | null, etag: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}

/** Of one range; several are answered with the whole file, which RFC 9110 §14.2 allows. `end` is exclusive. */
function parseRange(
  { method, headers }: Request,
  etag: string,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const ifRange = headers.get("if-range");
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
  if (method !== "GET" || (first === "" && last === "") || (ifRange !== null && ifRange !== etag)) {
    return undefined;
  }
  if (first !== "" && last !== "" && Number(first) > Number(last)) return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start < end ? { start, end } : "unsatisfiable";
}

async function readSlice(path: string, start: number, length: number): Promise<ReadableStream<Uint8Array>> {
  const file = await open(path);
  await file.seek(start, Deno.SeekMode.Start);
  let left = length;
  return file.readable.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        controller.enqueue(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) controller.terminate();
      },
    }),
  );
}

function open(path: string): Promise<Deno.FsFile> {
  return Deno.open(new URL(path.split("/").map(encodeURIComponent).join("/"), import.meta.url));
}
