import { answer } from './bundle.js';

export default {
  async fetch(request) {
    const { status, body } = answer(await request.json());
    return Response.json(body, { status });
  },
};
