/** Starts the application. `PORT` and `HOST` say where it listens. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createApp } from "./app.js";
import { ShoppingList } from "./list.js";

const host = process.env["HOST"] ?? "127.0.0.1";
const port = Number(process.env["PORT"] ?? 3000);

const list = new ShoppingList();
list.add("Sourdough bread", 480);
list.add("Tomatoes", 265);
list.add("Olive oil", 890);
list.setBought(list.add("Coffee", 725).id, true);

const server = createServer(createApp(list));
server.listen(port, host, () => {
  const address = server.address() as AddressInfo;
  console.log(`Shopping list on http://${host}:${address.port}`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}
