// atob and btoa: https://html.spec.whatwg.org/#atob

const { convert, requireArguments } = use('web/webidl');

exports.atob = function atob(data) {
  requireArguments(arguments.length, 1, "Failed to execute 'atob'");
  return native.decode(convert.DOMString(data));
};

exports.btoa = function btoa(data) {
  requireArguments(arguments.length, 1, "Failed to execute 'btoa'");
  return native.encode(convert.DOMString(data));
};
