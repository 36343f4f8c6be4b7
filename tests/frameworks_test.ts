import assert from "node:assert/strict";
import { startTestServer, type TestFiles, type TestServer } from "./server.ts";
import { VisitorSocket } from "./visitor_socket.ts";

interface Case {
  name: string;
  files: TestFiles;
  options?: Record<string, unknown>;
}

/** Each answers GET /hello/:name with JSON, and POST /sum with the sum of the numbers in its JSON body. */
const CASES: Case[] = [
  {
    name: "Deno.serve with a handler",
    files: { "main.ts": `Deno.serve(async (request) => ${routes("request")});` },
  },
  {
    name: "Deno.serve with options and a handler",
    files: {
      "main.ts": `Deno.serve({ port: 80, hostname: "1.2.3.4" }, async (request) => ${routes("request")});`,
    },
  },
  {
    name: "Deno.serve with a handler among its options",
    files: { "main.ts": `Deno.serve({ port: 80, handler: async (request) => ${routes("request")} });` },
  },
  {
    name: "export default { fetch }",
    files: { "main.ts": `export default { async fetch(request) { return ${routes("request")}; } };` },
  },
  {
    name: "node:http",
    files: {
      "main.ts": `
        import { createServer } from "node:http";
        createServer(async (request, response) => {
          response.setHeader("content-type", "application/json");
          if (request.method === "POST") {
            let text = "";
            for await (const chunk of request) text += chunk;
            return response.end(JSON.stringify({ sum: JSON.parse(text).reduce((a, b) => a + b) }));
          }
          response.end(JSON.stringify({ hello: request.url.split("/")[2] }));
        }).listen(3000, "0.0.0.0");`,
    },
  },
  {
    name: "hono",
    files: {
      "deno.json": `{ "imports": { "hono": "npm:hono@4" } }`,
      "main.ts": `
        import { Hono } from "hono";
        const app = new Hono();
        app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name") }));
        app.post("/sum", async (c) => c.json({ sum: (await c.req.json<number[]>()).reduce((a, b) => a + b) }));
        Deno.serve(app.fetch);`,
    },
  },
  {
    name: "hono on its node server",
    files: {
      "package.json": `{ "type": "module", "dependencies": { "hono": "4", "@hono/node-server": "1" } }`,
      "main.ts": `
        import { serve } from "@hono/node-server";
        import { Hono } from "hono";
        const app = new Hono();
        app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name") }));
        app.post("/sum", async (c) => c.json({ sum: (await c.req.json()).reduce((a, b) => a + b) }));
        serve({ fetch: app.fetch, port: 3000 });`,
    },
  },
  {
    name: "express",
    files: {
      "package.json": `{ "type": "module", "dependencies": { "express": "5" } }`,
      "server.js": `
        import express from "express";
        const app = express();
        app.use(express.json());
        app.get("/hello/:name", (request, response) => response.json({ hello: request.params.name }));
        app.post("/sum", (request, response) => response.json({ sum: request.body.reduce((a, b) => a + b) }));
        app.listen(process.env.PORT ?? 3000, () => console.log("listening"));`,
    },
    options: { entryPointUrl: "server.js" },
  },
  {
    name: "express as CommonJS",
    files: {
      "package.json": `{ "dependencies": { "express": "4" } }`,
      "server.cjs": `
        const express = require("express");
        const app = express();
        app.use(express.json());
        app.get("/hello/:name", (request, response) => response.json({ hello: request.params.name }));
        app.post("/sum", (request, response) => response.json({ sum: request.body.reduce((a, b) => a + b) }));
        app.listen(3000);`,
    },
    options: { entryPointUrl: "server.cjs" },
  },
  {
    name: "fastify",
    files: {
      "main.ts": `
        import fastify from "npm:fastify@5";
        const app = fastify();
        app.get("/hello/:name", (request) => ({ hello: (request.params as { name: string }).name }));
        app.post("/sum", (request) => ({ sum: (request.body as number[]).reduce((a, b) => a + b) }));
        await app.listen({ port: 3000 });`,
    },
  },
  {
    name: "koa",
    files: {
      "main.ts": `
        import Koa from "npm:koa@2";
        const app = new Koa();
        app.use(async (ctx) => {
          if (ctx.method === "GET") return void (ctx.body = { hello: ctx.path.split("/")[2] });
          let text = "";
          for await (const chunk of ctx.req) text += chunk;
          ctx.body = { sum: JSON.parse(text).reduce((a: number, b: number) => a + b) };
        });
        app.listen(3000);`,
    },
  },
];

function routes(request: string): string {
  return `${request}.method === "POST"
    ? Response.json({ sum: (await ${request}.json()).reduce((a, b) => a + b) })
    : Response.json({ hello: new URL(${request}.url).pathname.split("/")[2] })`;
}

Deno.test("Apps of many frameworks run unchanged", async (t) => {
  await using server = await startTestServer();
  for (const [index, { name, files, options }] of CASES.entries()) {
    await t.step(name, async () => {
      await server.deploy(`framework-${index}`, files, options);
      await exercise(server, `framework-${index}`);
    });
  }
});

async function exercise(server: TestServer, host: string) {
  const hello = await server.fetch(host, "/hello/Ada");
  assert.deepEqual(await hello.json(), { hello: "Ada" });
  const sum = await server.fetch(host, "/sum", {
    method: "POST",
    body: JSON.stringify([1, 2, 39]),
    headers: { "content-type": "application/json" },
  });
  assert.deepEqual(await sum.json(), { sum: 42 });
}

Deno.test("Express renders a view and serves static files", async () => {
  await using server = await startTestServer();
  await server.deploy("express-views", {
    "package.json": `{ "dependencies": { "express": "5", "ejs": "3" } }`,
    "views/page.ejs": "<h1>Hello <%= name %></h1>",
    "public/style.css": "h1 { color: green }",
    "server.js": `
      const express = require("express");
      const path = require("node:path");
      const app = express();
      app.set("view engine", "ejs");
      app.set("views", path.join(__dirname, "views"));
      app.use(express.static(path.join(__dirname, "public")));
      app.get("/", (request, response) => response.render("page", { name: "Ada" }));
      app.listen(3000);`,
  }, { entryPointUrl: "server.js" });
  assert.equal(await server.text("express-views"), "<h1>Hello Ada</h1>");
  const style = await server.fetch("express-views", "/style.css");
  assert.match(style.headers.get("content-type")!, /text\/css/);
  assert.equal(await style.text(), "h1 { color: green }");
});

Deno.test("A WebSocket server of npm:ws on node:http echoes", async () => {
  await using server = await startTestServer();
  await server.deploy("ws-node", {
    "main.ts": `
      import { createServer } from "node:http";
      import { WebSocketServer } from "npm:ws@8";
      const server = createServer();
      new WebSocketServer({ server }).on("connection", (socket, request) => {
        socket.on("message", (data) => socket.send(request.url + " " + data));
      });
      server.listen(3000);`,
  });
  await using socket = await VisitorSocket.open(server.httpPort, "ws-node.localhost", "/room?a=1");
  socket.send("hi");
  assert.equal(await socket.next(), "/room?a=1 hi");
});
