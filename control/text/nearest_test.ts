import assert from "node:assert/strict";
import { nearest } from "./nearest.ts";

Deno.test("nearest finds the word that a typo was meant to be", () => {
  const words = ["ISOLA_WARM_POOL", "ISOLA_RUNNERS", "deploy", "logs"];
  const cases: [string, string | undefined][] = [
    ["ISOLA_WARMPOOL", "ISOLA_WARM_POOL"],
    ["isola_runners", "ISOLA_RUNNERS"],
    ["depoly", "deploy"],
    ["log", "logs"],
    ["lgos", "logs"],
    ["serve", undefined],
    ["x", undefined],
    ["", undefined],
  ];
  for (const [typo, meant] of cases) assert.equal(nearest(typo, words), meant, typo);
});
