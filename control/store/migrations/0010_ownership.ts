/** How long a domain may wait for its proof. */
export const OWNERSHIP = ``;
