const STRING_OR_COMMENT = /"(?:\\.|[^"\\])*"|\/\/[^\n]*|\/\*[^]*?\*\//g;
const STRING_OR_TRAILING_COMMA = /"(?:\\.|[^"\\])*"|,(?=\s*[}\]])/g;

/**
 * JSON with comments and trailing commas, as `deno.json` and `deno.jsonc` are read.
 *
 * @throws {SyntaxError}
 */
export function parseJsonc(text: string): unknown {
  const bare = text.replace(STRING_OR_COMMENT, (match) => match.startsWith('"') ? match : " ");
  return JSON.parse(bare.replace(STRING_OR_TRAILING_COMMA, (match) => match === "," ? "" : match));
}
