import { CliError } from "./cli_error.ts";

/** What a call is answered with, or `instead` if the server refuses it with that code of the API. */
export async function unlessRefused<Answer, Instead>(
  call: Promise<Answer>,
  { code, instead }: { code: string; instead: Instead },
): Promise<Answer | Instead> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof CliError && error.apiCode === code) return instead;
    throw error;
  }
}
