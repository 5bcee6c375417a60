import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import Module, { createRequire, isBuiltin, builtinModules } from 'node:module';

const require = createRequire(import.meta.url);

test('the class has its functions', () => {
  assertEquals(Module.Module, Module);
  assertEquals(Module.createRequire, createRequire);
  assertEquals(require('module'), Module);
  assertEquals(require('node:module'), Module);
  assertEquals(typeof Module._load, 'function');
  assertEquals(Module.wrap('x'), '(function (exports, require, module, __filename, __dirname) { x\n});');
});

test('builtins are known by both names', () => {
  assert(isBuiltin('path') && isBuiltin('node:path') && !isBuiltin('node:nothing') && !isBuiltin('lodash'));
  assert(!isBuiltin('test') && !isBuiltin('node/internal/cjs') && !isBuiltin(5));
  assert(builtinModules.includes('path') && builtinModules.includes('module') && !builtinModules.includes('node:path'));
  assertEquals(require('path'), require('node:path'));
});

test('require functions have their properties', () => {
  assertEquals(require.cache, Module._cache);
  assertEquals(require.extensions, Module._extensions);
  assertEquals(require.resolve('path'), 'path');
  assertEquals(require.resolve('node:path'), 'node:path');
  assertEquals(require.resolve.paths('path'), null);
  assertEquals(require.resolve.paths('./x').length, 1);
  assert(require.resolve.paths('x')[0].endsWith('/node_modules'));
  assertEquals(createRequire('/a/b/c.js').resolve.paths('x').slice(0, 3), ['/a/b/node_modules', '/a/node_modules', '/node_modules']);
});

test('wrong arguments are refused', () => {
  assertThrows(() => require(), TypeError);
  assertThrows(() => require(''), TypeError);
  assertThrows(() => require.resolve(1), TypeError);
  assertThrows(() => createRequire('./relative.js'), TypeError);
  assertThrows(() => createRequire('https://example.com/a.js'), TypeError);
  assertThrows(() => createRequire(), TypeError);
});

test('what is not there says who asked for it', () => {
  const error = (() => {
    try {
      createRequire('/a/b.js')('./none');
    } catch (thrown) {
      return thrown;
    }
  })();
  assertEquals(error.code, 'MODULE_NOT_FOUND');
  assertEquals(error.requireStack, ['/a/b.js']);
  assert(error.message.startsWith("Cannot find module './none'\nRequire stack:\n- /a/b.js"), error.message);
  const tried = (() => {
    try {
      require.resolve('./none', { paths: ['/x', '/y'] });
    } catch (thrown) {
      return thrown.code;
    }
  })();
  assertEquals(tried, 'MODULE_NOT_FOUND');
});

test('texts are compiled as modules', () => {
  const module = new Module('/virtual/a.js');
  module.filename = '/virtual/a.js';
  module._compile('exports.name = __filename; exports.dir = __dirname; exports.same = module.exports === exports && this === exports;', '/virtual/a.js');
  assertEquals(module.exports, { name: '/virtual/a.js', dir: '/virtual', same: true });
  assertEquals([module.id, module.path, module.loaded, module.children.length], ['/virtual/a.js', '/virtual', false, 0]);
  assertThrows(() => module._compile('syntax error', '/virtual/a.js'), SyntaxError);
});

test('modules can be put into the cache', () => {
  const module = new Module('/virtual/cached.js');
  module.exports = { cached: true };
  module.loaded = true;
  const original = Module._resolveFilename;
  Module._resolveFilename = (request, ...rest) => (request === 'virtual' ? '/virtual/cached.js' : original.call(Module, request, ...rest));
  try {
    require.cache['/virtual/cached.js'] = module;
    assertEquals(require('virtual'), { cached: true });
  } finally {
    delete require.cache['/virtual/cached.js'];
    Module._resolveFilename = original;
  }
});

test('directories of packages', () => {
  assertEquals(Module._nodeModulePaths('/a/node_modules/b'), ['/a/node_modules/b/node_modules', '/a/node_modules', '/node_modules']);
  assertEquals(Module._nodeModulePaths('/'), ['/node_modules']);
});
