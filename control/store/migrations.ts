import { INITIAL } from "./migrations/0001_initial.ts";
import { USAGE } from "./migrations/0002_usage.ts";
import { UNTRUSTED } from "./migrations/0003_untrusted.ts";
import { DOMAINS } from "./migrations/0004_domains.ts";
import { DEPLOYMENTS } from "./migrations/0005_deployments.ts";
import { ACCESS } from "./migrations/0006_access.ts";
import { VARIABLES } from "./migrations/0007_variables.ts";
import { GIT } from "./migrations/0008_git.ts";
import { OBSERVABILITY } from "./migrations/0009_observability.ts";
import { OWNERSHIP } from "./migrations/0010_ownership.ts";
import { BRANCHES } from "./migrations/0011_branches.ts";
import { CONTENTS } from "./migrations/0012_contents.ts";
import { PROMOTED } from "./migrations/0013_promoted.ts";

/** The schema of `isola.db`, step by step. Released steps are never edited: append a new one. */
export const MIGRATIONS: readonly string[] = [
  INITIAL,
  USAGE,
  UNTRUSTED,
  DOMAINS,
  DEPLOYMENTS,
  ACCESS,
  VARIABLES,
  GIT,
  OBSERVABILITY,
  OWNERSHIP,
  BRANCHES,
  CONTENTS,
  PROMOTED,
];
