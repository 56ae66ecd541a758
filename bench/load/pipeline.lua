-- wrk sends 16 requests at a time.
init = function(args)
  local one = wrk.format("GET", "/")
  local all = {}
  for i = 1, 16 do all[i] = one end
  request_16 = table.concat(all)
end
request = function() return request_16 end
