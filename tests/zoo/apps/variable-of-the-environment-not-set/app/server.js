const http = require('node:http');
const { settings } = require('./settings');

http.createServer((request, response) => {
  response.end(`Files are kept in ${settings.bucket}.`);
}).listen(settings.port);
