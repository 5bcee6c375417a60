// What the cases are written with.

const show = (value) => {
  if (value instanceof Error) return `${value.name} [${value.code}]: ${value.message}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('latin1')}`;
  if (typeof value === 'string' || value === undefined) return `${value}`;
  return typeof value === 'object' && value !== null && 'pipe' in value ? 'a stream' : JSON.stringify(value);
};

/** What `body` logs until some turns after it is done. */
export async function record(body, stream) {
  const lines = [];
  await body(stream, (...values) => lines.push(values.map(show).join(' ')));
  await turn(3);
  return lines;
}

/** A few turns of the event loop. */
async function turn(count = 1) {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

/** Logs a stream's events. */
function watch(stream, log, prefix = '') {
  for (const event of ['end', 'close', 'error', 'pause', 'resume', 'finish', 'prefinish', 'drain', 'pipe', 'unpipe']) {
    stream.on(event, (value) => (value instanceof Error ? log(`${prefix}${event}`, value) : log(`${prefix}${event}`)));
  }
  return stream;
}

function attempt(log, body) {
  try {
    log('gave', body());
  } catch (error) {
    log('threw', error);
  }
}

async function attempted(log, body) {
  try {
    log('fulfilled', await body());
  } catch (error) {
    log('rejected', error);
  }
}

export { attempt, attempted, turn, watch };
