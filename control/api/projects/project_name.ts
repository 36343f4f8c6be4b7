import { z } from "zod";

const ADJECTIVES =
  "able amber bold brave brisk calm clear clever cosy crisp eager early fair fancy fond fresh gentle glad golden grand happy honest jolly keen kind light lively lucky mellow merry mild modest neat noble plain proud quick quiet rapid ready royal shiny silent smart smooth snowy solid sunny super swift tidy warm wise witty young";
const ANIMALS =
  "ant badger bear beaver bee bison crab crane crow deer dingo dodo dove duck eagle eel emu falcon fawn ferret finch fox frog gecko goat goose gull hare hawk heron horse hyena ibis koala lark lemur lion llama lynx magpie mole moose moth mouse newt okapi orca otter owl panda pony puffin quail rabbit raven robin salmon seal shark sheep sloth snail swan tapir tiger toad trout turtle walrus whale wolf wombat yak zebra";

/** A project's name, as it stands in its hostnames (INTERFACE §2). */
export const projectName = z.string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{1,24})[a-z0-9]$/,
    `must be 3 to 26 of "a-z", "0-9" and "-", without "-" at either end`,
  )
  .refine(
    (name) => !/-[a-z0-9]{12}$/.test(name),
    `must not end in "-" and 12 characters, which is how a deployment's hostname ends`,
  )
  .refine(
    (name) => !name.includes("--"),
    `must not have "--" in it, which parts project and branch in a hostname`,
  );

/** A random name that reads well, such as `brave-otter-42`. Not certain to be free. */
export function randomProjectName(): string {
  return `${pick(ADJECTIVES.split(" "))}-${pick(ANIMALS.split(" "))}-${10 + randomBelow(90)}`;
}

function pick(words: string[]): string {
  return words[randomBelow(words.length)]!;
}

function randomBelow(limit: number): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % limit;
}
