/** The program that `crash_test.ts` kills: deploys without end, and prints the id of each deployment once it is recorded. */
import { openStore } from "../store.ts";
import { PLAIN_DEPLOYMENT } from "./plain_deployment.ts";

const store = await openStore(new URL(import.meta.url).searchParams.get("dir")!);
const organizationId = store.organizations.first().id;
const project = store.projects.getByName("crash") ??
  store.projects.create({ organizationId, name: "crash", description: "" });

for (;;) {
  const contents = Array.from({ length: 8 }, () => crypto.getRandomValues(new Uint8Array(2000)));
  const blobs = await Promise.all(contents.map((bytes) => store.blobs.put(bytes)));
  const file = (index: number) => ({ kind: "file" as const, ...blobs[index]! });
  const { id } = store.deployments.create({
    ...PLAIN_DEPLOYMENT,
    projectId: project.id,
    files: Object.fromEntries(blobs.slice(1).map((_, index) => [`${index}`, file(index + 1)])),
  });
  console.log(`created ${id}`);
  store.deployments.finish(id, {
    status: "success",
    image: { mode: "bundle", entry: "x", files: { x: file(0) } },
  });
  console.log(`finished ${id}`);
}
