import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createApp } from "./app.js";
import { ShoppingList } from "./list.js";

describe("the application", () => {
  let list: ShoppingList;
  let server: Server;
  let origin: string;

  beforeEach(async () => {
    list = new ShoppingList();
    server = createServer(createApp(list)).listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  function post(path: string, form: Record<string, string> = {}): Promise<Response> {
    return fetch(origin + path, { method: "POST", body: new URLSearchParams(form) });
  }

  test("says that it is well", async () => {
    list.add("Bread");
    const response = await fetch(`${origin}/health`);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: "ok", items: 1 });
  });

  test("shows an empty list", async () => {
    const response = await fetch(origin);
    assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
    assert.match(await response.text(), /Nothing to buy/);
  });

  test("adds an item and shows the list again", async () => {
    const response = await post("/items", { name: "Bread", price: "4.80" });
    assert.equal(response.status, 200);
    assert.equal(response.url, `${origin}/`);
    const text = await response.text();
    assert.match(text, /<span class="name">Bread<\/span>/);
    assert.match(text, /<strong id="total">€4\.80<\/strong>/);
  });

  test("says what is wrong and keeps what was entered", async () => {
    const response = await post("/items", { name: "Bread", price: "free" });
    assert.equal(response.status, 400);
    const text = await response.text();
    assert.match(text, /role="alert">Please enter a price/);
    assert.match(text, /value="Bread"/);
    assert.equal(list.items.length, 0);
  });

  test("asks for a name where the form has none", async () => {
    const response = await post("/items");
    assert.equal(response.status, 400);
    assert.match(await response.text(), /Please say what to buy/);
  });

  test("puts an item in the basket, and empties the basket", async () => {
    const bread = list.add("Bread");
    const text = await (await post(`/items/${bread.id}/bought`, { bought: "yes" })).text();
    assert.match(text, /1 of 1 in the basket/);
    await post("/bought/remove");
    assert.equal(list.items.length, 0);
  });

  test("removes an item", async () => {
    const bread = list.add("Bread");
    await post(`/items/${bread.id}/remove`);
    assert.equal(list.items.length, 0);
  });

  test("shows what people type as text, never as HTML", async () => {
    list.add(`<b>"Bread" & 'butter'</b>`);
    const text = await (await fetch(origin)).text();
    assert.match(text, /&lt;b&gt;&quot;Bread&quot; &amp; &#39;butter&#39;&lt;\/b&gt;/);
    assert.doesNotMatch(text, /<b>/);
  });

  for (const path of ["/style.css", "/script.js", "/icon.svg"]) {
    test(`serves ${path}`, async () => {
      const response = await fetch(origin + path);
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    });
  }
});
