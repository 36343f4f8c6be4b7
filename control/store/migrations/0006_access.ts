/** Roles, bounds and last use of tokens; who changed what. */
export const ACCESS = ``;
