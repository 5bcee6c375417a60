-- For wrk: each connection waits 5 to 15 ms before its next request, so that the server is busy but not saturated.

function delay()
  return math.random(5, 15)
end
