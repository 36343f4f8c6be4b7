import type { SandboxLevel } from "../../isolate/enclosure.ts";

/** What a tenant tries, and where it is known to succeed. */
export interface Attack {
  name: string;
  /** Body of an async function: it throws when it got nothing, by an error of the runtime or the kernel. */
  code: string;
  /** Levels that do not promise to refuse it. */
  open: readonly SandboxLevel[];
}

/** What became of each attack, by name. */
export type Outcomes = Record<string, string>;

/** Whether it got nothing, by an error that is not a mistake of the attack itself. */
export function isRefused(outcome: string): boolean {
  return /^refused (?!ReferenceError|SyntaxError|TypeError .* is not a function)/.test(outcome);
}

/** Attacks by their names: code, or code and the levels that do not promise to refuse it. */
export type AttackTable = Record<string, string | [code: string, ...open: SandboxLevel[]]>;

/** An attack that waits so long has got nothing. */
const PATIENCE_MS = 5_000;

/** Reads a table. */
export function attacksOf(table: AttackTable): Attack[] {
  return Object.entries(table).map(([name, entry]) => {
    const [code, ...open] = typeof entry === "string" ? [entry] : entry;
    return { name, code, open };
  });
}

/**
 * The text of a program that makes the attack which a request's path names, and answers what became of it. `T` is what there is to be attacked, by name.
 *
 * @param prelude what the attacks share
 */
export function attackProgram(attacks: readonly Attack[], prelude = ""): string {
  return `${runner(attacks, prelude)}
    Deno.serve(async (request) => new Response(await attempt(decodeURIComponent(new URL(request.url).pathname.slice(1)))));`;
}

/** The same as a program that makes all its attacks before it serves, while its directories are not sealed yet. */
export function earlyAttackProgram(attacks: readonly Attack[], prelude = ""): string {
  return `${runner(attacks, prelude)}
    const outcomes = {};
    for (const name in attacks) outcomes[name] = await attempt(name);
    Deno.serve(() => Response.json(outcomes));`;
}

/** The same as a program that prints it and ends: to see what is got where nothing stands in the way. */
export function openAttackProgram(attacks: readonly Attack[], prelude = ""): string {
  return `${runner(attacks, prelude)}
    const outcomes = {};
    for (const name in attacks) outcomes[name] = await attempt(name);
    console.log(JSON.stringify(outcomes));
    Deno.exit();`;
}

function runner(attacks: readonly Attack[], prelude: string): string {
  const entries = attacks.map(({ name, code }) => `${JSON.stringify(name)}: async () => { ${code} }`);
  return `
    import process from "node:process";
    const T = JSON.parse(process.env.TARGETS);
    const got = (value) => "got " + (typeof value === "string" ? value : Deno.inspect(value)).slice(0, 200);
    const refused = (error) => "refused " + [error?.name, error?.code, error?.message, error?.cause?.message].join(" ");
    ${prelude}
    const attacks = { ${entries.join(",\n")} };
    async function attempt(name) {
      const late = Promise.withResolvers();
      const timer = setTimeout(() => late.reject(new Error("got nothing in time")), ${PATIENCE_MS});
      const outcome = await Promise.race([attacks[name](), late.promise]).then(got, refused);
      clearTimeout(timer);
      return outcome;
    }`;
}
