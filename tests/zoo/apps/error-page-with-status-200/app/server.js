const http = require('node:http');
const { membersPage } = require('./members');

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  if (request.url === '/health') return response.end('<p>ok</p>');
  try {
    response.end(membersPage());
  } catch (error) {
    response.end(`<!doctype html><title>Error</title><pre>${error.stack}</pre>`);
  }
});

server.listen(process.env.PORT || 3000);
