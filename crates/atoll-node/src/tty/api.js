// node:tty: a worker has no terminal, so there is nothing to make streams of.
exports.default = {
  /** Whether a descriptor is a terminal. */
  isatty() {
    return false;
  },
};
