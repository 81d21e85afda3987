-- ARGV: generation, cursor, limit. Reads in pages, so that large events end the reading.
local PAGE = 50
local events, cursor, left, bytes = {}, ARGV[2], tonumber(ARGV[3]), 0
while left > 0 and bytes < MAX_EVENT_BYTES do
  local page = call('XRANGE', EVENTS, '(' .. cursor, '+', 'COUNT', math.min(left, PAGE))
  if #page == 0 then
    break
  end
  for _, event in ipairs(page) do
    if bytes < MAX_EVENT_BYTES then
      events[#events + 1] = event
      local fields = event[2]
      bytes = bytes + (fields[2] == 'finished' and #fields[12] or #fields[14] + #fields[16])
    end
  end
  cursor, left = page[#page][1], left - #page
end
return events
