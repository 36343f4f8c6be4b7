/** The beginning of what a stranger says, as a log or a terminal may show it: no control character is obeyed. */
export function inOneLine(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll(/\p{Cc}+/gu, " ");
}
