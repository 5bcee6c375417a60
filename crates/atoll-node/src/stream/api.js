// node:stream: the Stream class, with all others and the functions as its properties.
const { ObjectDefineProperty, ReflectApply } = primordials;
const { Stream } = use('node/internal/stream/legacy');
const { Readable } = use('node/internal/stream/readable');
const { Writable } = use('node/internal/stream/writable');
const { Duplex } = use('node/internal/stream/duplex');
const { PassThrough, Transform } = use('node/internal/stream/transform');
const state = use('node/internal/stream/state');
const { addAbortSignal } = use('node/internal/stream/abort');
const { destroyAny } = use('node/internal/stream/lifecycle');
const { finished } = use('node/internal/stream/finished');
const { pipeline } = use('node/internal/stream/pipeline');

/** Under the name by which programs know the function. */
function named(name, value) {
  return ObjectDefineProperty(value, 'name', { __proto__: null, value: name, configurable: true });
}

Stream.isDestroyed = state.isDestroyed;
Stream.isDisturbed = state.isDisturbed;
Stream.isErrored = state.isErrored;
Stream.isReadable = state.isReadable;
Stream.isWritable = state.isWritable;
Stream.Readable = Readable;
Stream.Writable = Writable;
Stream.Duplex = Duplex;
Stream.Transform = Transform;
Stream.PassThrough = PassThrough;
Stream.duplexPair = function duplexPair(options) {
  return use('node/internal/stream/duplex_pair').duplexPair(options);
};
Stream.pipeline = pipeline;
Stream.addAbortSignal = addAbortSignal;
Stream.finished = finished;
Stream.destroy = named('destroyer', destroyAny);
Stream.compose = function compose(...streams) {
  return ReflectApply(use('node/internal/stream/compose').compose, undefined, streams);
};
Stream.setDefaultHighWaterMark = state.setDefaultHighWaterMark;
Stream.getDefaultHighWaterMark = state.getDefaultHighWaterMark;
ObjectDefineProperty(Stream, 'promises', {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get() {
    return use('node:stream/promises').default;
  },
});
Stream.Stream = Stream;
Stream._isArrayBufferView = state.isView;
Stream._isUint8Array = state.isUint8Array;
Stream._uint8ArrayToBuffer = state.asBuffer;

exports.default = Stream;
