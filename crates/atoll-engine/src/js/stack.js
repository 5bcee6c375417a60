// The `stack` of errors: Node's format, with positions in the guest's own files where a file was compiled.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  Error,
  ErrorPrototypeToString,
  FunctionPrototypeCall,
  StringPrototypeStartsWith,
} = primordials;

function toText(error) {
  try {
    return ErrorPrototypeToString(error);
  } catch {
    return '<error>';
  }
}

/** A proxy for a V8 call site whose position is the one in the guest's own file. */
function mapped(site, position) {
  return {
    __proto__: site,
    getFileName: () => position.file,
    getScriptNameOrSourceURL: () => position.file,
    getLineNumber: () => position.line,
    getColumnNumber: () => position.column,
    toString: () => describe(site, position),
  };
}

// V8's own text of a call site ends in its position, in parentheses where the function has a name.
function describe(site, position) {
  const where = `${position.file}:${position.line}:${position.column}`;
  const name = site.getFunctionName();
  const type = site.isToplevel() || site.isConstructor() ? undefined : site.getTypeName();
  const method = site.getMethodName();
  let caller = name;
  if (site.isConstructor()) caller = `new ${name ?? '<anonymous>'}`;
  else if (name && site.isAsync()) caller = `async ${name}`;
  else if (name && type && !StringPrototypeStartsWith(name, type)) caller = `${type}.${name}`;
  else if (!name && type && method) caller = `${type}.${method}`;
  return caller ? `${caller} (${where})` : where;
}

/** (error, call sites) → the value of `error.stack`; honours `Error.prepareStackTrace` as Node does. */
exports.prepareStackTrace = (error, sites) => {
  const shown = [];
  for (let index = 0; index < sites.length; index++) {
    const site = sites[index];
    const file = site.getFileName();
    // The platform's own frames tell a guest nothing.
    if (typeof file === 'string' && StringPrototypeStartsWith(file, 'atoll:')) continue;
    const position =
      typeof file === 'string' ? native.originalPosition(file, site.getLineNumber() ?? 0, site.getColumnNumber() ?? 0) : null;
    ArrayPrototypePush(shown, position === null ? site : mapped(site, position));
  }
  const custom = Error.prepareStackTrace;
  if (typeof custom === 'function') return FunctionPrototypeCall(custom, Error, error, shown);
  const lines = [toText(error)];
  for (let index = 0; index < shown.length; index++) ArrayPrototypePush(lines, `    at ${shown[index].toString()}`);
  return ArrayPrototypeJoin(lines, '\n');
};
