// An app that is attacked from within: `/attack` runs the attack, everything else tells that the app works. What this file
// needs is taken before any attack.
const { Response, Promise } = globalThis;
const { apply, getPrototypeOf } = Reflect;
const { startsWith } = String.prototype;
let healthy = 0;

/** `attack(request, env, ctx)` returns a Response or text, or a promise of one. */
export function serve(attack) {
  return {
    fetch(request, env, ctx) {
      if (!apply(startsWith, requestUrl(request), ['http://hostile.localhost/attack'])) return new Response(`alive ${++healthy}`);
      const answer = attack(request, env, ctx);
      if (typeof answer === 'string') return new Response(answer);
      return typeof answer === 'object' && answer !== null && getPrototypeOf(answer) === Promise.prototype ? answered(answer) : answer;
    },
  };
}

const getUrl = Object.getOwnPropertyDescriptor(Request.prototype, 'url').get;
const requestUrl = (request) => apply(getUrl, request, []);

async function answered(promise) {
  const answer = await promise;
  return typeof answer === 'string' ? new Response(answer) : answer;
}

/** `own error` when `body` throws a RangeError, as a guest's own recursion does. */
export function own(body) {
  try {
    return `returned ${typeof body()}`;
  } catch (error) {
    return error instanceof RangeError ? 'own error' : `threw ${error?.stack ?? typeof error}`;
  }
}
