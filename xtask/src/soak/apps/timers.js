// Answers after some time, and after some ticks of an interval, which it leaves running.
export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const id = searchParams.get('id');
    let ticks = 0;
    await new Promise((resolve) => {
      setInterval(() => {
        ticks += 1;
        if (ticks === 2) resolve();
      }, 3);
    });
    await new Promise((resolve) => setTimeout(resolve, Number(searchParams.get('ms'))));
    return new Response(`timers ${id}`);
  },
};
