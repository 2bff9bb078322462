const http = require('node:http');

const port = 4000;

http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ berths: 14 }));
}).listen(port);
