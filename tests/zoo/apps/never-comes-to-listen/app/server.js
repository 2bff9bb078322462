const http = require('node:http');
const { EventEmitter, once } = require('node:events');

const cache = new EventEmitter();
setInterval(() => cache.emit('warm'), 1000);

async function main() {
  await once(cache, 'ready');
  http.createServer((request, response) => {
    response.end('Twelve pictures.');
  }).listen(process.env.PORT || 3000);
}

main();
