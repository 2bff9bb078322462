const http = require('node:http');
const { setTimeout: pause } = require('node:timers/promises');

async function indexed() {
  for (let shard = 0; shard < 8; shard += 1) await pause(3000);
  return true;
}

http.createServer(async (request, response) => {
  if (request.url === '/health') await indexed();
  response.end('ok');
}).listen(process.env.PORT || 3000);
