// The chunks that a readable stream has buffered: an array whose front may be empty. Taking from it leaves the count in
// `state.length` to the caller.
const { ArrayPrototypeJoin, StringPrototypeSlice, TypedArrayPrototypeSet } = primordials;
const { lengthOf, partOf } = use('node/internal/stream/state');
const { Buffer } = use('node:buffer').default;

const GONE_CHUNKS = 1024; // places at the front that may be empty, whatever the array's length

function shiftChunk(state) {
  const { buffer } = state;
  const chunk = buffer[state.bufferIndex];
  buffer[state.bufferIndex++] = null;
  tidy(state);
  return chunk;
}

/** Moves the chunks up when most of the array is empty: each chunk is moved once or so, however many there are. */
function tidy(state) {
  const { buffer, bufferIndex: gone } = state;
  if (gone === buffer.length) buffer.length = 0;
  else if (gone > GONE_CHUNKS && gone * 2 > buffer.length) dropFirst(buffer, gone);
  else return;
  state.bufferIndex = 0;
}

/** Takes the first `count` elements off an array. */
function dropFirst(list, count) {
  for (let index = count; index < list.length; index++) list[index - count] = list[index];
  list.length -= count;
}
exports.dropFirst = dropFirst;

/** Takes all chunks as one. */
function takeAll(state) {
  const { buffer, bufferIndex: from } = state;
  const count = buffer.length - from;
  if (count === 1 && (state.decoder === null || typeof buffer[from] === 'string')) return shiftChunk(state);
  if (from > 0) dropFirst(buffer, from);
  state.bufferIndex = 0;
  const all = state.decoder !== null ? ArrayPrototypeJoin(buffer, '') : Buffer.concat(buffer, state.length);
  buffer.length = 0;
  return all;
}

/** Takes `count` bytes or characters, as one chunk; there are more than that. */
function takePart(state, count) {
  const { buffer } = state;
  const first = buffer[state.bufferIndex];
  const length = lengthOf(first);
  if (count === length) return shiftChunk(state);
  if (count < length) {
    buffer[state.bufferIndex] = slice(first, count, length);
    return slice(first, 0, count);
  }
  let text = '';
  const bytes = typeof first === 'string' ? undefined : Buffer.allocUnsafe(count);
  for (let taken = 0; taken < count;) {
    const chunk = buffer[state.bufferIndex];
    const available = lengthOf(chunk);
    const wanted = available < count - taken ? available : count - taken;
    const part = wanted === available ? chunk : slice(chunk, 0, wanted);
    if (bytes === undefined) text += part;
    else TypedArrayPrototypeSet(bytes, part, taken);
    taken += wanted;
    if (wanted === available) buffer[state.bufferIndex++] = null;
    else buffer[state.bufferIndex] = slice(chunk, wanted, available);
  }
  tidy(state);
  return bytes ?? text;
}

function slice(chunk, from, to) {
  return typeof chunk === 'string' ? StringPrototypeSlice(chunk, from, to) : partOf(chunk, from, to);
}

/** Takes `count` bytes or characters; all there are if that is 0, NaN or more; in object mode one chunk. */
function take(state, count) {
  if (state.length === 0) return null;
  if (state.objectMode) return shiftChunk(state);
  return !count || count >= state.length ? takeAll(state) : takePart(state, count);
}
exports.take = take;
