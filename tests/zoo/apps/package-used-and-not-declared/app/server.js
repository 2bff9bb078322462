const http = require('node:http');
const dayjs = require('dayjs');

http.createServer((request, response) => {
  response.end(dayjs().format('D MMMM YYYY'));
}).listen(process.env.PORT || 3000);
