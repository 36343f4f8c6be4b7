/** A project that follows a {@linkcode GitServer}, over a real store; builds are only noted. */
import { join } from "node:path";
import { openLogs } from "../../logs/mod.ts";
import type { GitSettings, Image, Project } from "../../model.ts";
import { type GitCredential, openStore } from "../../store/mod.ts";
import { ConfinedGit } from "../confined_git.ts";
import { DEFAULT_SETTINGS } from "../deploy_commit.ts";
import { openFollower } from "../repository_follower.ts";
import type { GitServer } from "./git_server.ts";

/** What of it is not as usual. */
export interface FollowedOptions {
  settings?: Partial<GitSettings>;
  credential?: GitCredential;
  /** Beside the server's. */
  allowPrivate?: string[];
  /** Whether the server's address may be reached. @default {true} */
  reachable?: boolean;
}

/** Starts to follow. */
export async function follow(server: Pick<GitServer, "url" | "target">, options: FollowedOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "isola-follow-" });
  opening.defer(() => Deno.remove(dir, { recursive: true }));
  const store = opening.adopt(await openStore(dir), (opened) => opened.close());
  const logs = opening.use(openLogs(dir, store));
  const fetchDir = join(dir, "git-fetch");
  // What an earlier server has left.
  await Deno.mkdir(join(fetchDir, "7", "objects"), { recursive: true });
  const submitted: string[] = [];
  const cancelled: string[] = [];
  const follower = opening.use(
    await openFollower({
      store,
      logs,
      builds: { submit: (id) => void submitted.push(id), cancel: (id) => void cancelled.push(id) },
      isolation: "process",
      git: await ConfinedGit.open(),
      dir: fetchDir,
      socketsDir: join(dir, "sockets"),
      allowPrivate: [
        ...(options.reachable === false ? [] : [server.target]),
        ...(options.allowPrivate ?? []),
      ],
      baseDomain: "isola.test",
      publicUrl: (hostname) => `http://${hostname}:8000`,
      routed: () => Promise.resolve(),
      retryDelayMs: 1,
    }),
  );
  const organizationId = store.organizations.first().id;
  const project: Project = store.projects.create({ organizationId, name: "shop", description: "" });
  store.gitLinks.put(
    project.id,
    { ...DEFAULT_SETTINGS, url: server.url, ...options.settings },
    options.credential ?? null,
  );
  const owned = opening.move();
  return {
    store,
    logs,
    follower,
    project,
    submitted,
    cancelled,
    fetchDir,
    /** Looks at the repository; what has been submitted since the last look. */
    async sync() {
      const before = submitted.length;
      await follower.sync(project.id);
      return submitted.slice(before).map((id) => store.deployments.get(id)!);
    },
    /** Ends a build with success. */
    succeed(id: string) {
      const image: Image = { mode: "tree", entry: "main.ts", files: {} };
      store.deployments.finish(id, { status: "success", image });
      follower.finished(id);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
