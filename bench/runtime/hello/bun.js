Bun.serve({
  hostname: '127.0.0.1',
  port: Number(Bun.argv[2]),
  // So that one process per processor can share the port.
  reusePort: Bun.argv[3] === 'shared',
  fetch() {
    return new Response('Hello, World!');
  },
});
