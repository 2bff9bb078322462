import { createServer } from "node:http";
import { total, type Line } from "./cart.js";

const cart: Line[] = [
  { name: "Bread", price: 3.2, count: 2 },
  { name: "Butter", price: "2.10", count: 1 },
];

createServer((_request, response) => {
  response.end(`Total: ${total(cart).toFixed(2)}`);
}).listen(Number(process.env.PORT ?? 3000));
