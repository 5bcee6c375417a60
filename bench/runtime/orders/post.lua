-- For wrk: POSTs the file that is named after `--`.

function init(arguments)
  local file = assert(io.open(arguments[1], 'r'))
  wrk.method = 'POST'
  wrk.headers['Content-Type'] = 'application/json'
  wrk.body = file:read('*a')
  file:close()
end
