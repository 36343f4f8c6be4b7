/** Variables of projects. */
export const VARIABLES = ``;
