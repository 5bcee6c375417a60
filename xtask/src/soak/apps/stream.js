// A response in pieces, each of which names the request.
const encoder = new TextEncoder();

export default {
  fetch(request) {
    const { searchParams } = new URL(request.url);
    const id = searchParams.get('id');
    const pieces = Number(searchParams.get('pieces'));
    let sent = 0;
    const body = new ReadableStream({
      async pull(controller) {
        if (sent === pieces) {
          controller.close();
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
        controller.enqueue(encoder.encode(`${id}:${sent}\n`));
        sent += 1;
      },
    });
    return new Response(body);
  },
};
