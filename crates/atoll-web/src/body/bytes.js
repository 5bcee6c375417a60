// Copies and parts of byte arrays, made by constructors alone: the methods slice() and subarray() ask the array's `constructor` what to
// make, which guests can replace.
const {
  ArrayBufferPrototypeGetByteLength, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetSymbolToStringTag, Uint8Array,
} = primordials;

exports.isUint8Array = (value) => TypedArrayPrototypeGetSymbolToStringTag(value) === 'Uint8Array';

/** A Uint8Array with a copy of the Uint8Array's bytes. */
exports.copyBytes = (bytes) => new Uint8Array(bytes);

/** The bytes from `start` to `end`, sharing memory. */
exports.partOf = (bytes, start, end) => {
  return new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes) + start, end - start);
};

/** The ArrayBuffer with exactly the array's bytes: its own where it has no others, else a copy. */
exports.exactBuffer = (bytes) => {
  const buffer = TypedArrayPrototypeGetBuffer(bytes);
  if (ArrayBufferPrototypeGetByteLength(buffer) === TypedArrayPrototypeGetByteLength(bytes)) return buffer;
  return TypedArrayPrototypeGetBuffer(new Uint8Array(bytes));
};
