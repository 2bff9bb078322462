const http = require('node:http');

const rates = { EUR: 1, NOK: 11.6 };

http.createServer((request, response) => {
  if (request.url === '/rates/EUR') {
    response.setHeader('Content-Type', 'application/json');
    return response.end(JSON.stringify(rates));
  }
  response.statusCode = 404;
  response.end();
}).listen(process.env.PORT || 3000);
