Bun.serve({
  hostname: '127.0.0.1',
  port: Number(Bun.argv[2]),
  fetch() {
    return new Response('Hello, World!');
  },
});
