import { z } from "zod";
import { manifestOf } from "../../deployments/manifest.ts";
import { type Manifest, MAX_FILES, MAX_FILES_BYTES } from "../../model.ts";
import type { Blobs, StoredBlob } from "../../store/mod.ts";
import { AssetTree, pathProblem, refusedAsset } from "./asset_tree.ts";
import { AssetSizes, gitSha1 } from "./assets.ts";
import { decodeBase64 } from "./base64_stream.ts";
import { ApiError } from "../errors.ts";
import { ParallelWork } from "../../scheduling/parallel_work.ts";
import type { JsonReader } from "./json_reader.ts";
import { TextSpool } from "./text_spool.ts";

/** Contents written at once. */
const PARALLEL_PUTS = 16;
/** The longest content as text: base64 is a third longer than what it stands for, and may have white space in it. */
const MAX_TEXT_LENGTH = 1.5 * MAX_FILES_BYTES;

const schema = z.union(
  [
    z.object({
      kind: z.literal("file"),
      content: z.instanceof(TextSpool),
      encoding: z.enum(["utf-8", "base64"]).nullish(),
    }),
    z.object({ kind: z.literal("file"), gitSha1 }),
    z.object({ kind: z.literal("symlink"), target: z.string() }),
  ],
  `must be {kind: "file", content, encoding?: "utf-8" | "base64"}, {kind: "file", gitSha1}, or {kind: "symlink", target}`,
);

/** What a deployment is made of, checked and stored. */
export interface ReceivedAssets {
  files: Manifest;
  tree: AssetTree;
}

/** Takes the assets of a deployment in while they arrive, and stores their contents. */
export class AssetIntake implements AsyncDisposable {
  readonly #blobs: Blobs;
  readonly #projectId: string;
  readonly #paths = new Set<string>();
  readonly #stored = new Map<string, StoredBlob>();
  readonly #uploaded = new Map<string, string>();
  readonly #links = new Map<string, string>();
  readonly #sizes = new AssetSizes();
  readonly #puts = new ParallelWork(PARALLEL_PUTS);

  constructor(blobs: Blobs, projectId: string) {
    this.#blobs = blobs;
    this.#projectId = projectId;
  }

  /**
   * Reads the object of assets by path.
   *
   * @throws {ApiError} `badRequest`, which names the asset; as soon as something is wrong.
   */
  async read(body: JsonReader): Promise<void> {
    for await (const path of body.members()) {
      const problem = pathProblem(path);
      if (problem !== null) throw refusedAsset(path, problem);
      if (this.#paths.has(path)) throw refusedAsset(path, "it is there twice");
      if (this.#paths.add(path).size > MAX_FILES) {
        throw new ApiError("badRequest", `Cannot take more than ${MAX_FILES} assets in one deployment`);
      }
      await this.#readAsset(path, body);
    }
  }

  /**
   * Waits until all contents are stored, and checks what all the assets are together.
   *
   * @throws {ApiError} `badRequest`; `assetsMissing`: named content was not uploaded.
   */
  async finish(): Promise<ReceivedAssets> {
    await this.#puts.finish();
    const tree = new AssetTree(new Set([...this.#stored.keys(), ...this.#uploaded.keys()]), this.#links);
    const { found, missing } = await this.#blobs.byGitSha1(this.#projectId, this.#uploaded.values());
    if (missing.length > 0) {
      const message = `${missing.length} assets name content that was not uploaded`;
      throw new ApiError("assetsMissing", message, { missing });
    }
    for (const [path, hash] of this.#uploaded) {
      const blob = found.get(hash)!;
      this.#sizes.add(path, blob.size);
      this.#stored.set(path, blob);
    }
    return { files: manifestOf(this.#stored, this.#links), tree };
  }

  /** Waits for what is being stored. What was stored of a refused deployment is collected later. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#puts[Symbol.asyncDispose]();
  }

  async #readAsset(path: string, body: JsonReader): Promise<void> {
    const content = new TextSpool(() => this.#blobs.temporaryPath());
    await using owned = new AsyncDisposableStack();
    owned.use(content);
    const given = await body.peek() === "{"
      ? await this.#readFields(path, body, content)
      : await body.value();
    const parsed = schema.safeParse(given);
    if (!parsed.success) throw refusedAsset(path, parsed.error.issues[0]!.message);
    const asset = parsed.data;
    if (asset.kind === "symlink") this.#links.set(path, asset.target);
    else if ("gitSha1" in asset) this.#uploaded.set(path, asset.gitSha1);
    else {
      if (asset.encoding !== "base64" && !content.isWellFormed) {
        throw refusedAsset(path, "its content is not valid Unicode: use base64");
      }
      owned.move();
      await this.#put(path, content, asset.encoding ?? "utf-8");
    }
  }

  async #readFields(
    path: string,
    body: JsonReader,
    content: TextSpool,
  ): Promise<Record<string, unknown>> {
    const fields = new Map<string, unknown>();
    for await (const name of body.members()) {
      if (name !== "content" || await body.peek() !== '"') {
        fields.set(name, await body.value());
        continue;
      }
      if (fields.get(name) === content) throw refusedAsset(path, `it has "content" twice`);
      fields.set(name, content);
      for await (const piece of body.string()) {
        await content.add(piece);
        this.#puts.throwFailure();
        if (content.length > MAX_TEXT_LENGTH) {
          throw refusedAsset(path, `it is longer than ${MAX_FILES_BYTES} bytes`);
        }
      }
    }
    return Object.fromEntries(fields);
  }

  /** Stores content while the next is read, as soon as there is a place for it. */
  async #put(path: string, content: TextSpool, encoding: "utf-8" | "base64"): Promise<void> {
    await this.#puts.add(async () => {
      try {
        await using text = content;
        const blob = await this.#blobs.put(await contentBytes(text, encoding), {
          projectId: this.#projectId,
        });
        this.#sizes.add(path, blob.size);
        this.#stored.set(path, blob);
      } catch (error) {
        throw error instanceof SyntaxError ? refusedAsset(path, "its content is not base64") : error;
      }
    });
  }
}

/** @throws {SyntaxError} It is not base64. */
async function contentBytes(
  content: TextSpool,
  encoding: "utf-8" | "base64",
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const text = await content.read();
  const isShort = typeof text === "string";
  if (encoding === "base64") {
    return isShort ? Uint8Array.fromBase64(text) : ReadableStream.from(decodeBase64(text));
  }
  return isShort ? new TextEncoder().encode(text) : ReadableStream.from(text);
}
