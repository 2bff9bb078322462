const http = require('node:http');

const messages = [];

setTimeout(() => {
  setInterval(() => {
    messages.push(Buffer.alloc(24 * 1024 * 1024, 'm'));
  }, 50);
}, 3000);

http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ messages: messages.length }));
}).listen(process.env.PORT || 3000);
