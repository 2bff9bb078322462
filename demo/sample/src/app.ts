/** The routes: each reads its request, asks the list, and answers with the page. */

import { fileURLToPath } from "node:url";
import express, { type Express } from "express";
import { Refused, type ShoppingList } from "./list.js";
import { cents } from "./money.js";
import { page } from "./page.js";

const PUBLIC_FILES = fileURLToPath(new URL("../public", import.meta.url));

// Nothing is loaded from elsewhere, nothing inline runs, and no other site frames the page.
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

export function createApp(list: ShoppingList): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use((_request, response, next) => {
    response.set(HEADERS);
    next();
  });
  app.use(express.static(PUBLIC_FILES));
  app.use(express.urlencoded({ extended: false, limit: "4kb" }));

  app.get("/", (_request, response) => {
    response.send(page(list));
  });

  app.get("/health", (_request, response) => {
    response.json({ status: "ok", items: list.items.length });
  });

  app.post("/items", (request, response) => {
    const name = field(request.body, "name");
    const price = field(request.body, "price");
    try {
      list.add(name, cents(price));
    } catch (problem) {
      if (!(problem instanceof Refused)) {
        throw problem;
      }
      response.status(400).send(page(list, { name, price, problem: problem.message }));
      return;
    }
    response.redirect(303, "/");
  });

  app.post("/items/:id/bought", (request, response) => {
    list.setBought(Number(request.params.id), field(request.body, "bought") === "yes");
    response.redirect(303, "/");
  });

  app.post("/items/:id/remove", (request, response) => {
    list.remove(Number(request.params.id));
    response.redirect(303, "/");
  });

  app.post("/bought/remove", (_request, response) => {
    list.removeBought();
    response.redirect(303, "/");
  });

  return app;
}

/** A form's field; `""` where the form has none, or more than one of that name. */
function field(body: unknown, name: string): string {
  const value: unknown = (body as Record<string, unknown> | undefined)?.[name];
  return typeof value === "string" ? value : "";
}
