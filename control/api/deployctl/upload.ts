import { checkSizes } from "../deployments/assets.ts";
import { manifestOf } from "../../deployments/manifest.ts";
import { ApiError } from "../errors.ts";
import type { Manifest } from "../../model.ts";
import type { Blobs, StoredBlob } from "../../store/mod.ts";
import type { FormPart } from "./form_parts.ts";
import type { FlatManifest } from "./nested_manifest.ts";

/** The contents of a manifest, of which the project had some before. */
export class Upload {
  readonly #blobs: Blobs;
  readonly #projectId: string;
  readonly #files: FlatManifest["files"];
  readonly #symlinks: FlatManifest["symlinks"];
  /** Bytes by hash. */
  readonly #sizes: ReadonlyMap<string, number>;
  /** Of the files that the project lacked, and of all. */
  #missingBytes = 0;
  readonly #maxBytes: number;
  /** So many have arrived. */
  currentBytes = 0;

  private constructor(blobs: Blobs, projectId: string, { files, symlinks }: FlatManifest) {
    this.#blobs = blobs;
    this.#projectId = projectId;
    this.#files = files;
    this.#symlinks = symlinks;
    this.#sizes = new Map([...files.values()].map(({ gitSha1, size }) => [gitSha1, size]));
    this.#maxBytes = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  static async begin(blobs: Blobs, projectId: string, manifest: FlatManifest): Promise<Upload> {
    const upload = new Upload(blobs, projectId, manifest);
    const { missing } = await upload.#lookUp();
    upload.#missingBytes = missing.reduce((sum, gitSha1) => sum + upload.#sizes.get(gitSha1)!, 0);
    return upload;
  }

  get progress(): { currentBytes: number; totalBytes: number } {
    // What another client has uploaded meanwhile comes once more.
    return { currentBytes: this.currentBytes, totalBytes: Math.max(this.#missingBytes, this.currentBytes) };
  }

  /**
   * Stores what comes, one after the other.
   *
   * @throws {ApiError} `badRequest`: it is none of the manifest's.
   */
  async receive(parts: AsyncIterable<FormPart>): Promise<void> {
    for await (const { name, content } of parts) {
      if (name !== "file") {
        throw new ApiError("badRequest", `Invalid request: part "${name}" is not expected`);
      }
      const { gitSha1 } = await this.#blobs.put(ReadableStream.from(this.#counted(content)), {
        projectId: this.#projectId,
      });
      if (!this.#sizes.has(gitSha1)) {
        throw new ApiError(
          "hashMismatch",
          `Cannot take a file: its git SHA-1 "${gitSha1}" is not in the manifest. Perhaps it changed meanwhile: deploy again`,
        );
      }
    }
  }

  /** @throws {ApiError} `assetsMissing`, or `badRequest`: they are too much. */
  async manifest(): Promise<Manifest> {
    const { found, missing } = await this.#lookUp();
    if (missing.length > 0) {
      throw new ApiError("assetsMissing", `${missing.length} files of the manifest were not uploaded`, {
        missing,
      });
    }
    const blobs = [...this.#files].map((
      [path, { gitSha1 }],
    ): [string, StoredBlob] => [path, found.get(gitSha1)!]);
    checkSizes(blobs.map(([path, { size }]) => [path, size]));
    return manifestOf(blobs, this.#symlinks);
  }

  #lookUp(): ReturnType<Blobs["byGitSha1"]> {
    return this.#blobs.byGitSha1(this.#projectId, this.#sizes.keys());
  }

  async *#counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of content) {
      this.currentBytes += chunk.length;
      if (this.currentBytes > this.#maxBytes) {
        throw new ApiError(
          "badRequest",
          `Cannot take files of more than ${this.#maxBytes} bytes: so much is the manifest's`,
        );
      }
      yield chunk;
    }
  }
}
