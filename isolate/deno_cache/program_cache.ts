import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { CACHE_FILES, decodeCompiledModule } from "./compiled_module.ts";

const FILE_MODE = 0o644;
const TABLES = {
  [CACHE_FILES.info]:
    "CREATE TABLE moduleinfocache (specifier TEXT PRIMARY KEY, media_type INTEGER NOT NULL, " +
    "source_hash INTEGER NOT NULL, module_info TEXT NOT NULL)",
  [CACHE_FILES.code]:
    "CREATE TABLE codecache (specifier TEXT NOT NULL, type INTEGER NOT NULL, source_hash INTEGER NOT NULL, " +
    "data BLOB NOT NULL, PRIMARY KEY (specifier, type))",
};
/** cli/cache/code_cache.rs, `CodeCacheType::EsModule` */
const ES_MODULE = 1;

/** Writes the databases of an empty cache into an existing directory, to be copied for each sandbox. */
export function writeCacheTemplate(dir: string): void {
  for (const [name, table] of Object.entries(TABLES)) {
    using database = new DatabaseSync(join(dir, name));
    database.exec(`
      PRAGMA journal_mode = WAL;
      CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT NOT NULL);
      ${table};
    `);
    database.prepare("INSERT INTO info VALUES ('CLI_VERSION', ?)").run(Deno.version.deno);
    // Deno asks for statistics, and could not write them.
    database.exec("ANALYZE");
  }
}

/**
 * The `DENO_DIR` of one sandbox, which can only read it: Deno has the databases open when it is blank, and finds in them what
 * is added before it gets its program. Nothing is ever read from there by the server.
 */
export class ProgramCache implements Disposable {
  readonly #databases: DatabaseSync[] = [];
  readonly #addInfo: StatementSync;
  readonly #addCode: StatementSync;

  /** Makes the cache in an existing, empty directory. */
  constructor(dir: string, templateDir: string) {
    this.#addInfo = this.#open(dir, templateDir, CACHE_FILES.info).prepare(
      "INSERT INTO moduleinfocache (specifier, media_type, source_hash, module_info) VALUES (?, ?, ?, ?)",
    );
    this.#addCode = this.#open(dir, templateDir, CACHE_FILES.code).prepare(
      "INSERT INTO codecache (specifier, type, source_hash, data) VALUES (?, ?, ?, ?)",
    );
  }

  /** Adds what is in a file of `encodeCompiledModule`, if there is one, for a module of this sandbox's program. */
  addFile(specifier: string, path: string): void {
    try {
      const { mediaType, infoHash, info, codeHash, code } = decodeCompiledModule(Deno.readFileSync(path));
      this.#addInfo.run(specifier, mediaType, infoHash, info);
      this.#addCode.run(specifier, ES_MODULE, codeHash, code);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      console.error(`Cannot use "${path}", so a program starts without:`, error); // It takes longer.
    }
  }

  /** Nothing is added any more; what is there stays. */
  [Symbol.dispose](): void {
    for (const database of this.#databases.splice(0)) database.close();
  }

  #open(dir: string, templateDir: string, name: string): DatabaseSync {
    const path = join(dir, name);
    Deno.copyFileSync(join(templateDir, name), path);
    // Those that SQLite makes beside it have its mode.
    Deno.chmodSync(path, FILE_MODE);
    const database = new DatabaseSync(path);
    this.#databases.push(database);
    // Nothing here outlives the server.
    database.exec("PRAGMA synchronous = OFF");
    return database;
  }
}
