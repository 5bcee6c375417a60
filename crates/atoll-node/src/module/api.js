// node:module: the class of CommonJS modules, with its functions as properties.
exports.default = use('node/internal/cjs').Module;
