const http = require('node:http');

const stops = [{ id: 1, name: 'Harbour' }, { id: 2, name: 'Station' }];

http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(stops));
}).listen(process.env.PORT || 3000);
