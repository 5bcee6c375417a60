// readline's functions for terminals: each writes a control sequence.
const { NumberIsNaN } = primordials;
const { ERR_INVALID_ARG_VALUE, ERR_INVALID_CURSOR_POS } = use('node/internal/errors');
const { validateFunction } = use('node/internal/validators');
const process = use('node:process').default;

const CSI = '\u001b[';
const CLEAR_BELOW = `${CSI}0J`;

/** Clears a line: to its beginning (-1), to its end (1), or all of it. */
function clearOf(direction) {
  if (direction < 0) return `${CSI}1K`;
  return direction > 0 ? `${CSI}0K` : `${CSI}2K`;
}

function moveTo(x, y) {
  return typeof y !== 'number' ? `${CSI}${x + 1}G` : `${CSI}${y + 1};${x + 1}H`;
}

function moveBy(dx, dy) {
  let text = '';
  if (dx < 0) text += `${CSI}${-dx}D`;
  else if (dx > 0) text += `${CSI}${dx}C`;
  if (dy < 0) text += `${CSI}${-dy}A`;
  else if (dy > 0) text += `${CSI}${dy}B`;
  return text;
}

/** Writes; without a stream, or with nothing to write, only calls back. */
function emit(stream, text, callback) {
  if (callback !== undefined) validateFunction(callback, 'callback');
  if (stream === null || stream === undefined || text === '') {
    if (typeof callback === 'function') process.nextTick(callback, null);
    return true;
  }
  return stream.write(text, callback);
}

function clearLine(stream, direction, callback) {
  return emit(stream, clearOf(direction), callback);
}

function clearScreenDown(stream, callback) {
  return emit(stream, CLEAR_BELOW, callback);
}

/** `(stream, x, y, callback)` or `(stream, x, callback)`. */
function cursorTo(stream, x, yOrCallback, givenCallback) {
  const callback = typeof yOrCallback === 'function' ? yOrCallback : givenCallback;
  const y = typeof yOrCallback === 'function' ? undefined : yOrCallback;
  if (callback !== undefined) validateFunction(callback, 'callback');
  if (NumberIsNaN(x)) throw ERR_INVALID_ARG_VALUE('x', x);
  if (NumberIsNaN(y)) throw ERR_INVALID_ARG_VALUE('y', y);
  const none = typeof x !== 'number' && typeof y !== 'number';
  if (stream !== null && stream !== undefined && !none && typeof x !== 'number') throw ERR_INVALID_CURSOR_POS();
  return emit(stream, none ? '' : moveTo(x, y), callback);
}

function moveCursor(stream, dx, dy, callback) {
  return emit(stream, moveBy(dx, dy), callback);
}

exports.CLEAR_BELOW = CLEAR_BELOW;
exports.clearLine = clearLine;
exports.clearOf = clearOf;
exports.clearScreenDown = clearScreenDown;
exports.cursorTo = cursorTo;
exports.moveBy = moveBy;
exports.moveCursor = moveCursor;
exports.moveTo = moveTo;
