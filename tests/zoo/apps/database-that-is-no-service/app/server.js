const http = require('node:http');
const net = require('node:net');

const database = net.connect({ host: '127.0.0.1', port: 5432 });

database.once('connect', () => {
  http.createServer((request, response) => {
    response.end('The books are open.');
  }).listen(process.env.PORT || 3000);
});
