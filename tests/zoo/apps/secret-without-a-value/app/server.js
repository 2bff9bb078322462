const http = require('node:http');

const key = process.env.PAYMENT_KEY;
if (!key) {
  console.error('cannot start: no key for payments');
  process.exit(1);
}

http.createServer((request, response) => {
  response.end('Thank you.');
}).listen(process.env.PORT || 3000);
