// node:stream/promises.
const { finishedPromise } = use('node/internal/stream/finished');
const { pipelinePromise } = use('node/internal/stream/pipeline');

exports.default = { finished: finishedPromise, pipeline: pipelinePromise };
