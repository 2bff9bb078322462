const http = require('node:http');
const { latest } = require('./readings');

http.createServer((request, response) => {
  if (request.url === '/health') {
    const well = latest().celsius !== undefined;
    response.statusCode = well ? 200 : 503;
    return response.end(well ? 'ok' : 'no readings');
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(latest()));
}).listen(process.env.PORT || 3000);
