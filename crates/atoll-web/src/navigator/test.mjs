import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

if (globalThis.navigator !== undefined) {
  test('userAgent is one product token', () => {
    assert(/^[\w.+-]+\/[\w.+-]+$/.test(navigator.userAgent), navigator.userAgent);
  });

  test('shape', () => {
    assertEquals([navigator.hardwareConcurrency >= 1, navigator.language, navigator.languages[0]], [true, 'en-US', 'en-US']);
    assertThrows(() => new Navigator(), TypeError);
    assertThrows(() => Navigator.prototype.userAgent, TypeError);
    assertEquals(Object.prototype.toString.call(navigator), '[object Navigator]');
  });
} else {
  test('this runtime has no navigator', () => assertEquals(typeof globalThis.Navigator, 'undefined'));
}
