import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Nothing but its own style is loaded, nothing runs, and the form goes nowhere else. */
export const LOGIN_HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  // With "no-referrer", browsers send the form with "Origin: null".
  "referrer-policy": "same-origin",
};

/** What the form shows. */
export interface LoginForm {
  /** As it stands in the address, or was typed. */
  code: string;
  /** Who asks to be let in; `null` = nobody does with that code. */
  login: { client: string; address: string } | null;
  /** Why it was refused. */
  problem?: string;
}

/** Where a person lets a command line in. */
export function loginPage({ code, login, problem }: LoginForm): Html {
  const question = login === null ? html`<p>Type the code that the terminal shows.` : html`
    <p><b>${login.client}</b>, at ${login
      .address}, asks to be let in. Go on only if you started that yourself, and if
    its terminal shows the code <b>${code}</b>.
  `;
  return page(html`
    <h1>Log in a command line</h1>
    ${problem === undefined ? "" : html`<p role="alert">${problem}`}
    ${question}
    <form method="post" action="/login" autocomplete="off">
      <label>Code <input name="code" value="${code}" required maxlength="20"></label>
      <label>Your access token, which is not passed on
        <input name="token" type="password" required maxlength="300"></label>
      <label>What the command line may do
        <select name="role">
          <option value="same">the same as that token
          <option value="write">change everything
          <option value="deploy">read, and deploy
          <option value="read">read
        </select></label>
      <label>Bound to this organization (empty: to what your token is bound to)
        <input name="organization" maxlength="100"></label>
      <label>For
        <select name="days">
          <option value="1">a day
          <option value="30">30 days
          <option value="90" selected>90 days
          <option value="365">a year
        </select></label>
      <button>Log in</button>
    </form>
  `);
}

/** What is shown when a command line has been let in. */
export function loggedInPage(client: string): Html {
  return page(html`
    <h1>Logged in</h1>
    <p><b>${client}</b> now gets an access token of its own. You can close this page.
  `);
}

function page(content: Html): Html {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Isola: log in</title>
<style>
  body { font: 1rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem; color-scheme: light dark }
  label, input, select { display: block; width: 100%; box-sizing: border-box; font: inherit }
  label, button { margin-top: 1rem; font: inherit }
  [role=alert] { border-left: 4px solid crimson; padding-left: 1rem }
</style>
${content}
</html>`;
}
