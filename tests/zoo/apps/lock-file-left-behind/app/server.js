const http = require('node:http');
const { nanoid } = require('nanoid');
const ms = require('ms');

http.createServer((request, response) => {
  response.end(`${nanoid()} ${ms('2 days')}`);
}).listen(process.env.PORT || 3000);
