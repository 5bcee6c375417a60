import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import path, { join, posix, win32 } from 'node:path';
import posixModule from 'node:path/posix';
import win32Module from 'node:path/win32';

test('the module is the POSIX one here', () => {
  assert(path === posix && path === posixModule && path.win32 === win32Module && win32.posix === posix);
  assertEquals([path.sep, path.delimiter, win32.sep, win32.delimiter], ['/', ':', '\\', ';']);
});

test('normalize and join', () => {
  const cases = {
    '': '.',
    './fixtures///b/../b/c.js': 'fixtures/b/c.js',
    '/foo/../../../bar': '/bar',
    'a//b//../b': 'a/b',
    './../a/': '../a/',
    '///..//./foo/.//bar': '/foo/bar',
    './': './',
    '..': '..',
  };
  for (const [input, expected] of Object.entries(cases)) assertEquals(path.normalize(input), expected, input);
  assertEquals(join('a', '', '../..', 'b/./c', '/'), '../b/c/');
  assertEquals(join(), '.');
  assertEquals(join('/', '..', 'x'), '/x');
});

test('resolve goes from the right until it is absolute', () => {
  assertEquals(path.resolve('/a', 'b', '../c'), '/a/c');
  assertEquals(path.resolve('x', '/y', '', 'z'), '/y/z');
  assertEquals(path.resolve(), process.cwd());
  assertEquals(path.resolve('q'), `${process.cwd() === '/' ? '' : process.cwd()}/q`);
});

test('relative', () => {
  for (const [from, to, expected] of [
    ['/var/lib', '/var', '..'],
    ['/var/lib', '/bin', '../../bin'],
    ['/a/b', '/a/b', ''],
    ['/foo/bar-baz', '/foo/bar', '../bar'],
    ['/', '/foo', 'foo'],
    ['/foo', '/', '..'],
    ['/a/b', '/a/b/c/d', 'c/d'],
  ]) {
    assertEquals(path.relative(from, to), expected, `${from} ${to}`);
  }
});

test('dirname, basename, extname', () => {
  for (const [input, dir, base, ext] of [
    ['/a/b/', '/a', 'b', ''],
    ['/a', '/', 'a', ''],
    ['', '.', '', ''],
    ['////', '/', '', ''],
    ['//a', '//', 'a', ''],
    ['a.js', '.', 'a.js', '.js'],
    ['.bashrc', '.', '.bashrc', ''],
    ['a/..', 'a', '..', ''],
    ['x.tar.gz', '.', 'x.tar.gz', '.gz'],
    ['f.', '.', 'f.', '.'],
  ]) {
    assertEquals([path.dirname(input), path.basename(input), path.extname(input)], [dir, base, ext], input);
  }
  assertEquals(path.basename('/a/b.html', '.html'), 'b');
  assertEquals(path.basename('.html', '.html'), '');
  assertEquals(path.basename('/x/.html', '.html'), '.html');
  assertEquals(path.basename('aaa', 'aa'), 'a');
});

test('parse and format', () => {
  assertEquals(path.parse('/home/u/file.txt'), {
    root: '/',
    dir: '/home/u',
    base: 'file.txt',
    ext: '.txt',
    name: 'file',
  });
  assertEquals(path.parse('./a/b/'), { root: '', dir: './a', base: 'b', ext: '', name: 'b' });
  assertEquals(path.parse('/'), { root: '/', dir: '/', base: '', ext: '', name: '' });
  assertEquals(path.format({ dir: '/d', base: 'b' }), '/d/b');
  assertEquals(path.format({ root: '/', name: 'n', ext: 'x' }), '/n.x');
  assertEquals(path.format({ dir: '/', root: '/', base: 'b' }), '/b');
});

test('Windows paths', () => {
  assertEquals(win32.normalize('C:/a/../b//c/'), 'C:\\b\\c\\');
  assertEquals(win32.normalize('//server/share/dir/../x'), '\\\\server\\share\\x');
  assertEquals(win32.join('c:\\a', '..', 'b'), 'c:\\b');
  assertEquals(win32.resolve('c:/ignore', 'd:\\a/b\\c/d', '\\e.exe'), 'd:\\e.exe');
  assertEquals(win32.relative('c:\\a\\b', 'c:\\A\\c'), '..\\c');
  assertEquals(win32.relative('c:\\a', 'd:\\b'), 'd:\\b');
  assertEquals(win32.parse('C:\\p\\f.txt'), { root: 'C:\\', dir: 'C:\\p', base: 'f.txt', ext: '.txt', name: 'f' });
  assertEquals(
    [win32.isAbsolute('C:/'), win32.isAbsolute('C:'), win32.isAbsolute('\\\\s\\s'), win32.isAbsolute('x')],
    [true, false, true, false],
  );
  assertEquals(win32.toNamespacedPath('C:\\x'), '\\\\?\\C:\\x');
  assertEquals(win32.dirname('\\\\unc\\share\\foo'), '\\\\unc\\share\\');
});

test('arguments are checked', () => {
  assertThrows(
    () => path.join(1),
    'ERR_INVALID_ARG_TYPE',
    'The "path" argument must be of type string. Received type number (1)',
  );
  assertThrows(() => path.resolve('a', null), 'ERR_INVALID_ARG_TYPE', 'Received null');
  assertThrows(() => path.parse(undefined), 'ERR_INVALID_ARG_TYPE');
  assertThrows(
    () => path.format('x'),
    'ERR_INVALID_ARG_TYPE',
    'The "pathObject" argument must be of type object. Received type string (\'x\')',
  );
});

test('what guests do to String.prototype stays with them', () => {
  const { slice, split } = String.prototype;
  String.prototype.slice = String.prototype.split = () => 'patched';
  try {
    assertEquals(path.normalize('/a/../b'), '/b');
  } finally {
    Object.assign(String.prototype, { slice, split });
    Object.defineProperty(String.prototype, 'slice', { enumerable: false });
    Object.defineProperty(String.prototype, 'split', { enumerable: false });
  }
});
