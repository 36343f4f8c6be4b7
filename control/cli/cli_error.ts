/** Why a command failed. */
export type CliErrorCode = "failed" | "usage" | "unreachable" | "unauthorized" | "interrupted";

/** The process' exit code for each reason: documented in `--help`, relied upon by scripts. */
export const EXIT_CODE = {
  failed: 1,
  usage: 2,
  unreachable: 3,
  unauthorized: 4,
  interrupted: 130,
} as const satisfies Record<CliErrorCode, number>;

/** A command's failure, with a message for the person at the terminal. */
export class CliError extends Error {
  override readonly name = "CliError";

  /** The code of the server's refusal, if that is what it was. */
  readonly apiCode: string | undefined;
  /** Whether the result was printed, and says it in its own way: a program gets no second object. */
  readonly printed: boolean;

  constructor(
    readonly code: CliErrorCode,
    message: string,
    { apiCode, printed = false, ...options }: ErrorOptions & {
      apiCode?: string | undefined;
      printed?: boolean;
    } = {},
  ) {
    super(message, options);
    this.apiCode = apiCode;
    this.printed = printed;
  }
}
