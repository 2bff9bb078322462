// What a user would pick instead: Probot, its handler empty.
import {Probot, Server} from "probot";

const defaults = {
  appId: 1,
  privateKey: process.env.PRIVATE_KEY,
  secret: process.env.WEBHOOK_SECRET,
  logLevel: "fatal",
};
const server = new Server({
  Probot: Probot.defaults(defaults),
  port: Number(process.env.PORT),
  host: "127.0.0.1",
  webhookPath: "/webhooks/github",
  log: new Probot(defaults).log,
});
await server.load((app) => {
  app.on("pull_request", async () => {});
});
await server.start();
