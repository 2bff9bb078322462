import { createServer } from 'node:http';

createServer(async (request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  if (request.url === '/report') {
    const { report } = await import('./reports/index.js');
    return response.end(report());
  }
  response.end('Ask for /report.');
}).listen(process.env.PORT || 3000);
