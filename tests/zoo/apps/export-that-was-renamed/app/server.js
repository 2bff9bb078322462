import { createServer } from 'node:http';
import { tidesOf } from './tides.js';

createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(tidesOf('Harbour')));
}).listen(process.env.PORT || 3000);
