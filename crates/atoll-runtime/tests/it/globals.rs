//! Globals that are made when they are first read.

use crate::harness::check;

#[test]
fn to_guests_they_are_data_properties() {
    let code = "
const before = Object.getOwnPropertyDescriptor(globalThis, 'TransformStream');
console.log(typeof before.value, before.writable, before.enumerable, before.configurable, 'get' in before);
console.log(before.value === TransformStream, Object.keys(globalThis).includes('Headers'), 'Headers' in globalThis);
globalThis.FormData = 1;
console.log(FormData, delete globalThis.Blob, typeof Blob, 'Blob' in globalThis);
Object.defineProperty(globalThis, 'URL', { value: 2 });
console.log(URL, new Request('http://a/b?c').url, Object.getOwnPropertyDescriptor(globalThis, 'URL').writable);
console.log(typeof WebAssembly.compile, WebAssembly === globalThis.WebAssembly, Object.keys(globalThis).join());
";
    let lines = ["function true false true false", "true false true", "1 true undefined false", "2 http://a/b?c true"];
    check(&[("main.mjs", code)], 0, &[lines.as_slice(), &["function true "]].concat());
}

#[test]
fn handlers_of_the_global_object_are_there_from_the_start() {
    let code = "
globalThis.onunhandledrejection = (event) => { console.log('handled', event.reason.message); event.preventDefault(); };
Promise.reject(new Error('nobody waits'));
";
    check(&[("main.mjs", code)], 0, &["handled nobody waits"]);
}

/// Builtins are evaluated after the guest may have replaced what the language gives it.
#[test]
fn they_are_made_of_originals() {
    let code = "
const { log } = console;
const { call } = Function.prototype;
const seen = [];
const { defineProperty, getOwnPropertyNames } = Object;
const spoil = (holder, name) => {
  const value = function () { seen.push(name); throw new Error(`spoiled ${name}`); };
  try { defineProperty(holder, name, { __proto__: null, value, writable: true, configurable: true }); } catch {}
};
const { push } = Array.prototype;
seen.push = push;
const keep = ['constructor'];
keep.includes = Array.prototype.includes;
for (const owner of [Array, Function, Map, Set, WeakMap, String, RegExp, Promise, Uint8Array, ArrayBuffer]) {
  for (const name of getOwnPropertyNames(owner.prototype)) if (!keep.includes(name)) spoil(owner.prototype, name);
}
for (const owner of [Object, Reflect, Promise, Symbol]) {
  for (const name of getOwnPropertyNames(owner)) {
    if (typeof owner[name] === 'function' && name !== 'prototype') spoil(owner, name);
  }
}
for (const name of ['value', 'get', 'set', 'writable', 'enumerable', 'configurable']) {
  const get = () => { seen.push(name); throw new Error(name); };
  defineProperty(Object.prototype, name, { __proto__: null, get, configurable: true });
}
const iterator = { __proto__: null, value() { seen.push('iterator'); throw new Error('iterator'); } };
defineProperty(String.prototype, Symbol.iterator, iterator);
defineProperty(Map.prototype, Symbol.iterator, iterator);
defineProperty(Set.prototype, Symbol.iterator, iterator);
defineProperty(Array.prototype, Symbol.iterator, iterator);
const failed = [];
failed.push = push;
let made = 0;
const list = ['AbortController', 'AbortSignal', 'atob', 'Blob', 'File', 'crypto', 'SubtleCrypto', 'CryptoKey', 'DOMException',
  'TextEncoder', 'TextDecoder', 'TextEncoderStream', 'TextDecoderStream', 'Event', 'EventTarget', 'CustomEvent', 'ErrorEvent',
  'MessageEvent', 'PromiseRejectionEvent', 'fetch', 'FormData', 'Headers', 'navigator', 'performance', 'PerformanceEntry',
  'Request', 'Response', 'ReadableStream', 'WritableStream', 'TransformStream', 'structuredClone', 'setTimeout', 'URL',
  'URLSearchParams', 'WebAssembly'];
for (let index = 0; index < list.length; index++) {
  try {
    if (globalThis[list[index]] === undefined) failed[failed.length] = list[index]; else made++;
  } catch (error) { failed[failed.length] = `${list[index]}: ${error}`; }
}
let text = '';
for (let index = 0; index < failed.length; index++) text += `${failed[index]}; `;
let touched = '';
for (let index = 0; index < seen.length; index++) touched += `${seen[index]}; `;
// The program's end is announced by an EventEmitter, which calls its listeners as Node.js does.
defineProperty(Function.prototype, 'call', { __proto__: null, value: call });
log(`${made} of ${list.length} ${text}${touched}`);
";

    check(&[("main.mjs", code)], 0, &["35 of 35 "]);
}
