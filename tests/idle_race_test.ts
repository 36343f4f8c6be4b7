import assert from "node:assert/strict";
import { SeededRandom } from "../runner/testing/seeded_random.ts";
import { appSource, startTestServer } from "./server.ts";
