// FileHandle.readableWebStream: a file as a web stream of bytes, read from where the file stands.
const {
  PromisePrototypeThen,
  SafeWeakSet,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetBuffer,
  Uint8Array,
} = primordials;
const { ERR_INVALID_STATE } = use('node/internal/errors');
const { validateObject, validateString } = use('node/internal/validators');
const { ReadableStream } = use('web/streams');

const READ_BYTES = 16384; // asked for at once by readers that bring no memory, as in Node

const locked = new SafeWeakSet(); // handles that a web stream reads

exports.readableWebStream = (handle, options = {}) => {
  if (handle.fd === -1) throw ERR_INVALID_STATE('The FileHandle is closed');
  if (locked.has(handle)) throw ERR_INVALID_STATE('The FileHandle is locked');
  validateObject(options, 'options');
  if (options.type !== undefined) validateString(options.type, 'options.type');
  locked.add(handle);
  let over = false;
  const stream = new ReadableStream({
    __proto__: null,
    type: 'bytes',
    autoAllocateChunkSize: READ_BYTES,
    async pull(controller) {
      const { view } = controller.byobRequest;
      const bytes = new Uint8Array(
        TypedArrayPrototypeGetBuffer(view),
        TypedArrayPrototypeGetByteOffset(view),
        TypedArrayPrototypeGetByteLength(view),
      );
      const { bytesRead } = await handle.read(bytes, 0, TypedArrayPrototypeGetByteLength(bytes));
      if (over) return;
      if (bytesRead === 0) {
        over = true;
        controller.close();
      }
      controller.byobRequest.respond(bytesRead);
    },
    cancel() {
      over = true;
    },
  });
  handle.once('close', () => {
    if (over) return;
    over = true;
    if (!stream.locked) PromisePrototypeThen(stream.cancel(), undefined, () => {});
  });
  return stream;
};
