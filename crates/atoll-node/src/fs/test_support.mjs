// What the tests of node:fs share.
import { assert, assertEquals } from '../../../atoll-test/src/harness.mjs';
import fs from 'node:fs';
import promises from 'node:fs/promises';

// This folder, which is mounted read-only in Atoll, and a directory to write in.
export const here = new URL('.', import.meta.url).pathname;
export const root = fs.mkdtempSync('/tmp/fs-test-');
let counter = 0;
/** A fresh directory. */
export function fresh() {
  const path = `${root}/${counter++}`;
  fs.mkdirSync(path);
  return path;
}
/** A call with a callback, as promise. */
export function called(name, ...values) {
  return new Promise((resolve, reject) => fs[name](...values, (error, value) => (error ? reject(error) : resolve(value))));
}
/** Runs one operation in its three forms; `make` gives fresh arguments for each. */
export async function inAllForms(name, make, check) {
  await check(() => fs[`${name}Sync`](...make()));
  await check(() => called(name, ...make()));
  if (promises[name]) await check(() => promises[name](...make()));
}
export function assertError(error, code, syscall, path, dest) {
  assertEquals([error.code, error.syscall, error.path, error.dest], [code, syscall, path, dest]);
  assert(error instanceof Error);
  assert(error.errno < 0, 'errno is negative');
  assert(error.message.startsWith(`${code}: `), error.message);
  const places = dest === undefined ? (path === undefined ? '' : ` '${path}'`) : ` '${path}' -> '${dest}'`;
  assert(error.message.endsWith(`, ${syscall}${places}`), error.message);
}
