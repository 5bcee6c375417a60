import { createServer } from 'node:http';

// The header is the one that the other runtimes derive from a string body.
createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain;charset=UTF-8' });
  response.end('Hello, World!');
}).listen(Number(process.argv[2]), '127.0.0.1');
