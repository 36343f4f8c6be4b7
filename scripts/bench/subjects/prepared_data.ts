import { DatabaseSync } from "node:sqlite";
import type { AppFiles, AppLimits } from "./isola_client.ts";
import { startIsolaServer } from "./isola_server.ts";

/** A program, and how many deployments of it there shall be. */
export interface PreparedApp {
  files: AppFiles;
  copies: number;
  limits?: AppLimits;
}

/** A deployment that no server has started since it was built. */
export interface PreparedDeployment {
  id: string;
  /** Its production hostname. */
  host: string;
}

/** The data directory of a server that is not running, removed by disposal. */
export interface PreparedData<Name extends string> extends AsyncDisposable {
  dataDir: string;
  deployments: Readonly<Record<Name, readonly PreparedDeployment[]>>;
}

/**
 * Deploys each program once, as anybody would, and copies the record of that, each copy in a project of its own: to build
 * the same thousands of times would measure nothing more.
 */
export async function prepareData<Name extends string>(
  apps: Readonly<Record<Name, PreparedApp>>,
): Promise<PreparedData<Name>> {
  await using prepared = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "isola-bench-" });
  prepared.defer(() => Deno.remove(dataDir, { recursive: true }));
  const names = Object.keys(apps) as Name[];
  const built = new Map<Name, string>();
  {
    await using server = await startIsolaServer({ dataDir, warmPool: 0 });
    for (const name of names) {
      const projectId = await server.client.createProject(name);
      built.set(name, await server.client.deploy(projectId, apps[name].files, apps[name].limits));
    }
  }
  const deployments = {} as Record<Name, PreparedDeployment[]>;
  using database = new DatabaseSync(`${dataDir}/isola.db`);
  for (const name of names) deployments[name] = copy(database, name, built.get(name)!, apps[name].copies);
  const owned = prepared.move();
  return { dataDir, deployments, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Each has all that the original has but its build log. */
function copy(database: DatabaseSync, name: string, original: string, copies: number): PreparedDeployment[] {
  const { seq } = database.prepare("SELECT seq FROM deployments WHERE id = ?").get(original) as {
    seq: number;
  };
  const insertProject = database.prepare(
    `INSERT INTO projects (id, organization_id, name, description, untrusted, created_at, updated_at)
     SELECT ?, organization_id, ?, projects.description, untrusted, projects.created_at, projects.updated_at
     FROM projects JOIN deployments ON project_id = projects.id WHERE seq = ?`,
  );
  const insertDeployment = database.prepare(
    `INSERT INTO deployments
       (id, project_id, status, description, source, env, net, limits, domains, production, created_at, updated_at)
     SELECT ?, ?, status, description, source, '{}', net, limits, domains, production, created_at, updated_at
     FROM deployments WHERE seq = ?`,
  );
  const insertSnapshot = database.prepare(
    "INSERT INTO snapshots (deployment_seq, files, image) SELECT ?, files, image FROM snapshots WHERE deployment_seq = ?",
  );
  const insertReferences = database.prepare(
    "INSERT INTO blob_references SELECT ?, blob_id FROM blob_references WHERE deployment_seq = ?",
  );
  const promote = database.prepare("UPDATE projects SET production_deployment_id = ? WHERE id = ?");
  const made: PreparedDeployment[] = [];
  database.exec("BEGIN");
  for (let number = 0; number < copies; number++) {
    const projectName = `${name}-${number}`;
    const projectId = crypto.randomUUID();
    const id = crypto.randomUUID().replaceAll("-", "").slice(0, original.length);
    insertProject.run(projectId, projectName, seq);
    const copySeq = insertDeployment.run(id, projectId, seq).lastInsertRowid;
    insertSnapshot.run(copySeq, seq);
    insertReferences.run(copySeq, seq);
    promote.run(id, projectId);
    made.push({ id, host: `${projectName}.localhost` });
  }
  database.exec("COMMIT");
  return made;
}
