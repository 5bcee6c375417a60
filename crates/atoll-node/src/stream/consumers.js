// node:stream/consumers: all that a stream or iterable gives, as one value.
const { ArrayPrototypePush, JSONParse } = primordials;
const { Buffer } = use('node:buffer').default;

async function blob(stream) {
  const chunks = [];
  for await (const chunk of stream) ArrayPrototypePush(chunks, chunk);
  return new (use('web/blob').Blob)(chunks);
}

async function arrayBuffer(stream) {
  return (await blob(stream)).arrayBuffer();
}

async function buffer(stream) {
  return Buffer.from(await arrayBuffer(stream));
}

async function text(stream) {
  const decoder = new (use('web/encoding').TextDecoder)();
  let all = '';
  for await (const chunk of stream) {
    all += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { __proto__: null, stream: true });
  }
  return all + decoder.decode(undefined, { __proto__: null, stream: false });
}

async function json(stream) {
  return JSONParse(await text(stream));
}

exports.default = { arrayBuffer, blob, buffer, text, json };
