/** What an examination found about one thing. */
export interface Finding {
  /** What was looked at, in a word or two. */
  check: string;
  /** `problem`: the server does not start, or does not do what it should. */
  status: "ok" | "warning" | "problem";
  message: string;
  /** What to do about it. */
  advice?: string;
}
