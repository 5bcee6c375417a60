const babelHelpers = (() => {
  const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
  const isMissing = (brand, receiver) => (typeof brand === 'function' ? brand !== receiver : !brand.has(receiver));
  const claim = (object, brand) => {
    if (brand.has(object)) throw new TypeError('an object is initialised twice with the same private elements');
  };
  function assertClassBrand(brand, receiver, ...result) {
    if (isMissing(brand, receiver)) throw new TypeError('private element is not present on this object');
    return result.length > 0 ? result[0] : receiver;
  }
  return {
    assertClassBrand,
    checkInRHS(value) {
      if (Object(value) !== value) throw new TypeError('the right-hand side of "in" must be an object');
      return value;
    },
    classPrivateFieldGet2: (fields, receiver) => fields.get(assertClassBrand(fields, receiver)),
    classPrivateFieldInitSpec(object, fields, value) {
      claim(object, fields);
      fields.set(object, value);
    },
    classPrivateFieldSet2(fields, receiver, value) {
      fields.set(assertClassBrand(fields, receiver), value);
      return value;
    },
    classPrivateMethodInitSpec(object, methods) {
      claim(object, methods);
      methods.add(object);
    },
    decorate(decorators, target, ...member) {
      const [key, given] = member;
      const isClass = member.length === 0;
      const hasDescriptor = member.length > 1;
      let result = isClass ? target : given === null ? getOwnPropertyDescriptor(target, key) : given;
      for (let index = decorators.length - 1; index >= 0; index--) {
        const decorator = decorators[index];
        if (!decorator) continue;
        const returned = isClass ? decorator(result) : hasDescriptor ? decorator(target, key, result) : decorator(target, key);
        result = returned || result;
      }
      if (hasDescriptor && result) defineProperty(target, key, result);
      return result;
    },
    decorateMetadata: (key, value) => (typeof Reflect.metadata === 'function' ? Reflect.metadata(key, value) : undefined),
    decorateParam: (index, decorator) => (target, key) => decorator(target, key, index),
    defineProperty: (object, key, value) =>
      defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true }),
    extends: Object.assign,
    readOnlyError(name) {
      throw new TypeError(`"${name}" is read-only`);
    },
    superPropGet(constructor, key, receiver, flags) {
      const value = Reflect.get(getPrototypeOf(flags & 1 ? constructor.prototype : constructor), key, receiver);
      return flags & 2 && typeof value === 'function' ? (values) => value.apply(receiver, values) : value;
    },
    superPropSet(constructor, key, value, receiver, isStrict, ofPrototype) {
      const done = Reflect.set(getPrototypeOf(ofPrototype ? constructor.prototype : constructor), key, value, receiver);
      if (!done && isStrict) throw new TypeError('failed to set property');
      return value;
    },
    toPropertyKey: (value) => Reflect.ownKeys({ [value]: 0 })[0],
    toSetter(method, values, receiver) {
      const index = values ? values.length : 0;
      return defineProperty({}, '_', {
        set(value) {
          const all = values ? [...values] : [];
          all[index] = value;
          method.apply(receiver, all);
        },
      });
    },
    writeOnlyError(name) {
      throw new TypeError(`"${name}" is write-only`);
    },
  };
})();
