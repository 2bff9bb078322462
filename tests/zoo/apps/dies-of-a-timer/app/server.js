const http = require('node:http');

const prices = new Map([['ORE', [12, 13]]]);

function refresh() {
  for (const name of ['ORE', 'TIN']) {
    const known = prices.get(name);
    known.push(known[known.length - 1] + 1);
  }
}

setInterval(refresh, 4000);

http.createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(Object.fromEntries(prices)));
}).listen(process.env.PORT || 3000);
