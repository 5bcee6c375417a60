// Adds up an order.
export default {
  async fetch(request) {
    const { id, prices } = await request.json();
    const total = prices.reduce((sum, price) => sum + price, 0);
    return Response.json({ id, count: prices.length, total }, { status: 201 });
  },
};
