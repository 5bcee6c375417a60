import app from './app.js';

Bun.serve({ hostname: '127.0.0.1', port: Number(Bun.argv[2]), fetch: (request) => app.fetch(request) });
