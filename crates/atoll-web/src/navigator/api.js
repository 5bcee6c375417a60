// navigator: https://html.spec.whatwg.org/#the-navigator-object

const { ObjectDefineProperty, ObjectFreeze } = primordials;
const { defineEnumerable, illegalConstructor, illegalInvocation, setToStringTag } = use('web/webidl');

const MAKE = {};
const LANGUAGES = ObjectFreeze(['en-US']);

class Navigator {
  #brand;

  constructor(key = undefined) {
    if (key !== MAKE) illegalConstructor();
  }

  get userAgent() {
    return #brand in this ? native.userAgent() : illegalInvocation();
  }

  /** What a worker has for itself; how many the machine has is none of a guest's business. */
  get hardwareConcurrency() {
    return #brand in this ? 1 : illegalInvocation();
  }

  get language() {
    return #brand in this ? LANGUAGES[0] : illegalInvocation();
  }

  get languages() {
    return #brand in this ? LANGUAGES : illegalInvocation();
  }
}

ObjectDefineProperty(Navigator, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(Navigator, ['userAgent', 'hardwareConcurrency', 'language', 'languages']);
setToStringTag(Navigator, 'Navigator');

exports.Navigator = Navigator;
exports.navigator = new Navigator(MAKE);
