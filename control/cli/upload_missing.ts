import { ParallelWork } from "../scheduling/parallel_work.ts";
import type { ApiProject } from "./api_shapes.ts";
import type { ApiClient } from "./client.ts";
import { formatBytes } from "./quantity.ts";
import type { Snapshot, SnapshotFile } from "./snapshot/take_snapshot.ts";
import type { Terminal } from "./terminal.ts";

const MAX_PARALLEL_UPLOADS = 8;
const MAX_FILES_LISTED = 40;

/** Uploads the contents of a snapshot that the server does not have yet, and shows which. */
export async function uploadMissing(
  snapshot: Snapshot,
  { client, project, terminal }: { client: ApiClient; project: ApiProject; terminal?: Terminal },
): Promise<void> {
  const byContent = new Map(snapshot.files.map((file) => [file.gitSha1, file]));
  const missing = await client.missingAssets(project.id, [...byContent.keys()]);
  const wanted = missing.flatMap((gitSha1) => byContent.get(gitSha1) ?? []);
  const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const present = byContent.size - wanted.length;
  terminal?.note(
    `${present} of ${byContent.size} files already on the server` +
      (wanted.length > 0 ? `; uploading ${wanted.length} (${formatBytes(totalBytes)}):` : ""),
  );
  if (terminal) listFiles(wanted, terminal);

  const progress = new UploadProgress(terminal, { files: wanted.length, bytes: totalBytes });
  await using uploads = new ParallelWork(MAX_PARALLEL_UPLOADS);
  for (const file of wanted) {
    await uploads.add(() => progress.during(file, (open) => client.uploadAsset(project.id, file, open)));
  }
  await uploads.finish();
  terminal?.clearProgress();
}

/** How far all uploads together are. */
class UploadProgress {
  readonly #terminal: Terminal | undefined;
  readonly #total: { files: number; bytes: number };
  #files = 0;
  #bytes = 0;

  constructor(terminal: Terminal | undefined, total: { files: number; bytes: number }) {
    this.#terminal = terminal;
    this.#total = total;
  }

  /** Counts a file's bytes as they are read to be sent; those of an attempt that failed count no more. */
  async during(file: SnapshotFile, upload: (open: SnapshotFile["open"]) => Promise<void>): Promise<void> {
    let sent = 0;
    const count = (bytes: number) => {
      sent += bytes;
      this.#bytes += bytes;
      this.#show();
    };
    await upload(async () => {
      count(-sent);
      const content = await file.open();
      if (content instanceof Uint8Array) return content;
      return content.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            count(chunk.length);
            controller.enqueue(chunk);
          },
        }),
      );
    });
    this.#files++;
    count(file.sizeBytes - sent);
  }

  #show(): void {
    const { files, bytes } = this.#total;
    const detail = `${this.#files} of ${files} files, ${formatBytes(this.#bytes)} of ${formatBytes(bytes)}`;
    this.#terminal?.progress("Uploading", this.#bytes, bytes, detail);
  }
}

function listFiles(files: readonly SnapshotFile[], terminal: Terminal): void {
  const listed = files.slice(0, MAX_FILES_LISTED);
  const width = Math.max(0, ...listed.map(({ path }) => path.length));
  for (const { path, sizeBytes } of listed) {
    terminal.note(`  ${path.padEnd(width)}  ${formatBytes(sizeBytes)}`, "dim");
  }
  if (files.length > listed.length) terminal.note(`  … and ${files.length - listed.length} more`, "dim");
}
