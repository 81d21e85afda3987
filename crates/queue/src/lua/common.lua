-- Keys, all of one slot. '@' stands for the queue's name with its hash tag and is replaced before the script is loaded:
--   unit:UNIT        hash: place (ready, delayed, leased, dead), pool, shard, job, payload, queued, entry, epoch, worker, due, at,
--                    attempts, crashes, evictions, vanished, faults and shunned (workers whose machine failed it, one a line), and the last
--                    failure: kind, reason, evidence
--   ready:SHARD:POOL stream of units with the consumer group 'w'; an entry stays, pending, as long as its unit is leased
--   streams          set of SHARD:POOL that have a stream
--   counts           hash: ready, delayed and leased units of a pool; shards: ready units of SHARD:POOL
--   delayed, leased, dead          zsets of units by the time they are due, expire, died
--   finished, cancelled            zsets of units that left while a worker held them, by time
--   events           stream
--   workers          zset by time last heard of; records: hash; draining: set; taken: hash, the last take of each
local call = redis.call
local DELAYED, LEASED, DEAD = '@:delayed', '@:leased', '@:dead'
local FINISHED, CANCELLED = '@:finished', '@:cancelled'
local COUNTS, SHARDS, STREAMS = '@:counts', '@:shards', '@:streams'
local EVENTS, EPOCH, SWEPT = '@:events', '@:epoch', '@:swept'
local WORKERS, RECORDS = '@:workers', '@:records'
local DRAINING, TAKEN = '@:draining', '@:taken'
local UNIT, READY = '@:unit:', '@:ready:'

local function add(key, field, by)
  if call('HINCRBY', key, field, by) <= 0 then
    call('HDEL', key, field)
  end
end

local function count(place, pool, by)
  add(COUNTS, place .. ':' .. pool, by)
end

local function count_ready(pool, shard, by)
  count('ready', pool, by)
  add(SHARDS, shard .. ':' .. pool, by)
end

-- Queues a unit at the end of its shard; the stream's id of the entry.
local function enqueue(unit, pool, shard)
  local name = shard .. ':' .. pool
  if call('SADD', STREAMS, name) == 1 and (call('EXISTS', READY .. name) == 0 or #call('XINFO', 'GROUPS', READY .. name) == 0) then
    call('XGROUP', 'CREATE', READY .. name, 'w', '0', 'MKSTREAM')
  end
  local entry = call('XADD', READY .. name, '*', 'unit', unit)
  count_ready(pool, shard, 1)
  return entry
end

local function set_ready(unit, pool, shard)
  call('HSET', UNIT .. unit, 'place', 'ready', 'entry', enqueue(unit, pool, shard))
end

-- What moves need of a unit: place, pool, shard, entry, epoch, worker, job. The place is false for an unknown unit.
local function look(unit)
  return call('HMGET', UNIT .. unit, 'place', 'pool', 'shard', 'entry', 'epoch', 'worker', 'job')
end

local function holds(found, epoch, worker)
  return found[1] == 'leased' and found[5] == epoch and found[6] == worker
end
