const http = require('node:http');
const fs = require('node:fs/promises');
const path = require('node:path');

const PUBLIC = path.join(__dirname, 'public');
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};

function json(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function file(response, pathname) {
  const name = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
  try {
    const body = await fs.readFile(path.join(PUBLIC, path.normalize(name)));
    const type = TYPES[path.extname(name)] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type });
    response.end(body);
  } catch {
    response.writeHead(404, { 'Content-Type': 'text/plain' });
    response.end('Not found');
  }
}

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/health') return json(response, 200, { status: 'ok' });
  return file(response, pathname);
});

server.listen(process.env.PORT || 3000);
