// node:constants: those of node:os and node:fs in one object.
const { ObjectFreeze } = primordials;
const { dlopen, errno, priority, signals } = use('node:os').default.constants;
const { constants } = use('node/internal/fs/types');

exports.default = ObjectFreeze({ ...dlopen, ...errno, ...priority, ...signals, ...constants });
