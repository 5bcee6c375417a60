// Stands in for the natives of a builtin while the snapshot is rehearsed, when there is no host: (name) => natives. They
// answer what the rehearsal put into `globalThis.answers['builtin.native']`, else undefined.
const answer = (native) => (...given) => globalThis.answers?.[`${name}.${native}`]?.(...given);
return new Proxy({}, { get: (target, native) => answer(native) });
