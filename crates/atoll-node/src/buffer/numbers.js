// The read and write methods of Buffer for integers and floats of both byte orders.
const {
  BigInt,
  Float32Array,
  Float64Array,
  MathFloor,
  Number,
  ObjectDefineProperty,
  ObjectKeys,
  StringPrototypeIncludes,
  StringPrototypeReplace,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetLength,
  Uint8Array,
} = primordials;
const { ERR_BUFFER_OUT_OF_BOUNDS, ERR_OUT_OF_RANGE } = use('node/internal/errors');
const { validateNumber } = use('node/internal/validators');

const floats = new Float32Array(1);
const floatBytes = new Uint8Array(TypedArrayPrototypeGetBuffer(floats));
const doubles = new Float64Array(1);
const doubleBytes = new Uint8Array(TypedArrayPrototypeGetBuffer(doubles));

/** Throws the error for an offset (or, if `name` is given, a byte length) outside 0..=last. */
function boundsError(value, last, name = undefined) {
  if (MathFloor(value) !== value) {
    validateNumber(value, name ?? 'offset');
    throw ERR_OUT_OF_RANGE(name ?? 'offset', 'an integer', value);
  }
  if (last < 0) throw ERR_BUFFER_OUT_OF_BOUNDS();
  throw ERR_OUT_OF_RANGE(name ?? 'offset', `>= ${name === undefined ? 0 : 1} and <= ${last}`, value);
}

function checkRange(bytes, offset, count) {
  validateNumber(offset, 'offset');
  if (bytes[offset] === undefined || bytes[offset + count - 1] === undefined)
    boundsError(offset, TypedArrayPrototypeGetLength(bytes) - count);
}

function checkValue(value, min, max, count) {
  if (value <= max && value >= min) return;
  if (!(value > max || value < min)) return; // NaN is written as 0
  const n = typeof min === 'bigint' ? 'n' : '';
  let range;
  if (count <= 4) range = `>= ${min}${n} and <= ${max}${n}`;
  else if (min == 0) range = `>= 0${n} and < 2${n} ** ${count * 8}${n}`;
  else range = `>= -(2${n} ** ${count * 8 - 1}${n}) and < 2${n} ** ${count * 8 - 1}${n}`;
  throw ERR_OUT_OF_RANGE('value', range, value);
}

// Byte `index` of `count` in significance order, low first, is at this distance from the offset.
function position(index, count, little) {
  return little ? index : count - 1 - index;
}

/** Reads `count` bytes as an unsigned number. */
function readUnsigned(bytes, offset, count, little) {
  let value = 0;
  let scale = 1;
  for (let index = 0; index < count; index++) {
    value += bytes[offset + position(index, count, little)] * scale;
    scale *= 256;
  }
  return value;
}
function readSigned(bytes, offset, count, little) {
  const value = readUnsigned(bytes, offset, count, little);
  return value >= 2 ** (count * 8 - 1) ? value - 2 ** (count * 8) : value;
}
function writeBytes(bytes, value, offset, count, little) {
  let rest = value;
  if (count <= 4) {
    for (let index = 0; index < count; index++) {
      bytes[offset + position(index, count, little)] = rest;
      rest >>>= 8;
    }
  } else {
    rest = rest < 0 ? rest + 2 ** (count * 8) : rest;
    for (let index = 0; index < count; index++) {
      bytes[offset + position(index, count, little)] = rest % 256;
      rest = MathFloor(rest / 256);
    }
  }
  return offset + count;
}

// The reads that parsers make all day have a function each, so that the engine can compile them for their one shape.
const FIXED_READS = {
  __proto__: null,
  readUInt8(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined) boundsError(offset, this.length - 1);
    return this[offset];
  },
  readInt8(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined) boundsError(offset, this.length - 1);
    return (this[offset] << 24) >> 24;
  },
  readUInt16LE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 1] === undefined) boundsError(offset, this.length - 2);
    return this[offset] | (this[offset + 1] << 8);
  },
  readInt16LE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 1] === undefined) boundsError(offset, this.length - 2);
    return ((this[offset] | (this[offset + 1] << 8)) << 16) >> 16;
  },
  readUInt32LE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 3] === undefined) boundsError(offset, this.length - 4);
    return (this[offset] | (this[offset + 1] << 8) | (this[offset + 2] << 16) | (this[offset + 3] << 24)) >>> 0;
  },
  readInt32LE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 3] === undefined) boundsError(offset, this.length - 4);
    return this[offset] | (this[offset + 1] << 8) | (this[offset + 2] << 16) | (this[offset + 3] << 24);
  },
  readUInt16BE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 1] === undefined) boundsError(offset, this.length - 2);
    return this[offset + 1] | (this[offset] << 8);
  },
  readInt16BE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 1] === undefined) boundsError(offset, this.length - 2);
    return ((this[offset + 1] | (this[offset] << 8)) << 16) >> 16;
  },
  readUInt32BE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 3] === undefined) boundsError(offset, this.length - 4);
    return (this[offset + 3] | (this[offset + 2] << 8) | (this[offset + 1] << 16) | (this[offset] << 24)) >>> 0;
  },
  readInt32BE(offset = 0) {
    validateNumber(offset, 'offset');
    if (this[offset] === undefined || this[offset + 3] === undefined) boundsError(offset, this.length - 4);
    return this[offset + 3] | (this[offset + 2] << 8) | (this[offset + 1] << 16) | (this[offset] << 24);
  },
};

function write(count, little, signed) {
  const max = signed ? 2 ** (count * 8 - 1) - 1 : 2 ** (count * 8) - 1;
  const min = signed ? -(2 ** (count * 8 - 1)) : 0;
  return function (value, offset = 0) {
    value = +value;
    if (count === 1) validateNumber(offset, 'offset');
    checkValue(value, min, max, count);
    checkRange(this, offset, count);
    return writeBytes(this, value, offset, count, little);
  };
}

function checkLength(byteLength) {
  if (byteLength === undefined)
    throw use('node/internal/errors').ERR_INVALID_ARG_TYPE('byteLength', 'number', byteLength);
  if (
    byteLength !== 1 &&
    byteLength !== 2 &&
    byteLength !== 3 &&
    byteLength !== 4 &&
    byteLength !== 5 &&
    byteLength !== 6
  )
    boundsError(byteLength, 6, 'byteLength');
}
function readAny(little, signed) {
  const decode = signed ? readSigned : readUnsigned;
  return function (offset, byteLength) {
    if (offset === undefined) throw use('node/internal/errors').ERR_INVALID_ARG_TYPE('offset', 'number', offset);
    checkLength(byteLength);
    checkRange(this, offset, byteLength);
    return decode(this, offset, byteLength, little);
  };
}
function writeAny(little, signed) {
  return function (value, offset, byteLength) {
    checkLength(byteLength);
    value = +value;
    const bits = byteLength * 8;
    if (byteLength === 1) validateNumber(offset, 'offset');
    checkValue(value, signed ? -(2 ** (bits - 1)) : 0, signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1, byteLength);
    checkRange(this, offset, byteLength);
    return writeBytes(this, value, offset, byteLength, little);
  };
}

function readBig(little, signed) {
  return function (offset = 0) {
    checkRange(this, offset, 8);
    const low = readUnsigned(this, little ? offset : offset + 4, 4, little);
    const high = (signed ? readSigned : readUnsigned)(this, little ? offset + 4 : offset, 4, little);
    return (BigInt(high) << 32n) + BigInt(low);
  };
}
function writeBig(little, signed) {
  const max = signed ? 0x7fffffffffffffffn : 0xffffffffffffffffn;
  const min = signed ? -0x8000000000000000n : 0n;
  return function (value, offset = 0) {
    checkValue(value, min, max, 8);
    checkRange(this, offset, 8);
    writeBytes(this, Number(value & 0xffffffffn), little ? offset : offset + 4, 4, little);
    writeBytes(this, Number((value >> 32n) & 0xffffffffn), little ? offset + 4 : offset, 4, little);
    return offset + 8;
  };
}

function readFloat(array, scratch, little) {
  const count = TypedArrayPrototypeGetLength(scratch);
  return function (offset = 0) {
    checkRange(this, offset, count);
    for (let index = 0; index < count; index++) scratch[index] = this[offset + position(index, count, little)];
    return array[0];
  };
}
function writeFloat(array, scratch, little) {
  const count = TypedArrayPrototypeGetLength(scratch);
  return function (value, offset = 0) {
    value = +value;
    checkRange(this, offset, count);
    array[0] = value;
    for (let index = 0; index < count; index++) this[offset + position(index, count, little)] = scratch[index];
    return offset + count;
  };
}

/** Adds all of them to Buffer.prototype. */
exports.addNumberMethods = (prototype) => {
  const add = (name, method, alias = undefined) => {
    ObjectDefineProperty(method, 'name', { __proto__: null, value: name, configurable: true });
    prototype[name] = method;
    if (alias !== undefined) prototype[alias] = method;
  };
  const fixed = ObjectKeys(FIXED_READS);
  for (let index = 0; index < fixed.length; index++) {
    const name = fixed[index];
    add(
      name,
      FIXED_READS[name],
      StringPrototypeIncludes(name, 'UInt') ? StringPrototypeReplace(name, 'UInt', 'Uint') : undefined,
    );
  }
  add('writeUInt8', write(1, true, false), 'writeUint8');
  add('writeInt8', write(1, true, true));
  const orders = ['LE', 'BE'];
  for (let index = 0; index < 2; index++) {
    const order = orders[index];
    const little = order === 'LE';
    for (let count = 2; count <= 4; count += 2) {
      const bits = count * 8;
      add(`writeUInt${bits}${order}`, write(count, little, false), `writeUint${bits}${order}`);
      add(`writeInt${bits}${order}`, write(count, little, true));
    }
    add(`readUInt${order}`, readAny(little, false), `readUint${order}`);
    add(`readInt${order}`, readAny(little, true));
    add(`writeUInt${order}`, writeAny(little, false), `writeUint${order}`);
    add(`writeInt${order}`, writeAny(little, true));
    add(`readBigUInt64${order}`, readBig(little, false), `readBigUint64${order}`);
    add(`readBigInt64${order}`, readBig(little, true));
    add(`writeBigUInt64${order}`, writeBig(little, false), `writeBigUint64${order}`);
    add(`writeBigInt64${order}`, writeBig(little, true));
    add(`readFloat${order}`, readFloat(floats, floatBytes, little));
    add(`writeFloat${order}`, writeFloat(floats, floatBytes, little));
    add(`readDouble${order}`, readFloat(doubles, doubleBytes, little));
    add(`writeDouble${order}`, writeFloat(doubles, doubleBytes, little));
  }
};
