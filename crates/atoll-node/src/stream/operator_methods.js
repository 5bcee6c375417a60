// The methods of Readable that work on each chunk, as programs see them. What they do is loaded with the first call.
const { ObjectDefineProperty, PromiseReject, ReflectApply } = primordials;
const { ERR_ILLEGAL_CONSTRUCTOR } = use('node/internal/errors');

const GIVE_STREAMS = ['drop', 'filter', 'flatMap', 'map', 'take', 'compose'];
const GIVE_PROMISES = ['every', 'forEach', 'reduce', 'toArray', 'some', 'find'];

const LENGTHS = {
  __proto__: null,
  compose: 2,
  drop: 1,
  filter: 2,
  flatMap: 2,
  map: 2,
  take: 1,
  every: 1,
  find: 2,
  forEach: 2,
  reduce: 2,
  some: 1,
  toArray: 1,
};

function operator(name) {
  return use('node/internal/stream/operators')[name];
}

function define(prototype, name, value) {
  ObjectDefineProperty(value, 'name', { __proto__: null, value: name, configurable: true });
  ObjectDefineProperty(value, 'length', { __proto__: null, value: LENGTHS[name], configurable: true });
  ObjectDefineProperty(prototype, name, {
    __proto__: null,
    value,
    enumerable: false,
    configurable: true,
    writable: true,
  });
}

exports.defineOperators = (prototype) => {
  for (let index = 0; index < GIVE_STREAMS.length; index++) {
    const name = GIVE_STREAMS[index];
    define(prototype, name, function (...values) {
      if (new.target) throw ERR_ILLEGAL_CONSTRUCTOR();
      return use('node/internal/stream/readable').Readable.from(ReflectApply(operator(name), this, values));
    });
  }
  for (let index = 0; index < GIVE_PROMISES.length; index++) {
    const name = GIVE_PROMISES[index];
    define(prototype, name, function (...values) {
      if (new.target) throw ERR_ILLEGAL_CONSTRUCTOR();
      try {
        return ReflectApply(operator(name), this, values);
      } catch (error) {
        return PromiseReject(error);
      }
    });
  }
};
