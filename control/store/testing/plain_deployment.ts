import type { NewDeployment } from "../mod.ts";

/** A deployment of nothing in particular, for tests that need one to be there. */
export const PLAIN_DEPLOYMENT = {
  description: null,
  source: { entrypoint: "main.ts", importMap: null, lockFile: null, compilerOptions: null },
  files: {},
  env: {},
  net: null,
  limits: {},
  domains: null,
  production: null,
} satisfies Omit<NewDeployment, "projectId">;
