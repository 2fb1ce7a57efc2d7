-- Decides one batch of calls, all of it or nothing of it, and remembers what it answered.
--
-- KEYS[1]     the lane: what the last batch of its client was numbered and answered
-- KEYS[i+1]   the subject of the i-th terms
-- ARGV[1]     the request, packed big-endian:
--   head      mode B (1 run, 2 cancel, 3 look), number i8, notAfter i8 (microseconds of TIME), laneTtl i8 (milliseconds),
--             terms H, calls H
--   terms     for each subject: limits B, and for each limit: id c8, algorithm B, capacity i8, amount i8, period i8
--             (microseconds), then offset i8 (aligned window), or bounds B and so many i8 (calendar window)
--   calls     for each call: op B (1 reserve, 2 settle, 3 look), parts B, and for each part: terms H (from 1), dry B, then for
--             each limit of those terms: amount i8 (reserve); era i8, charged i8, actual i8 (settle); nothing (look)
-- reply       packed big-endian: status B (1 done, 2 late, 3 lane refused, 4 cancelled after it ran, 5 cancelled before it
--             came), TIME i8, and for each call (status 1 and 4) a result B:
--   1 granted   for each part: 1 B, and for each limit: era i8, balance i8; or, short under a dry run: 0 B, short
--   2 denied    part B (from 1), short
--   3 bounds needed
--   4 refused   part B, reason B (1 wrong type, 2 written by another version, 3 damaged, 4 an amount out of range)
--   5 settled
--   6 looked    for each part and limit: balance i8, until full i8 (microseconds)
--   short       limit B (from 1), available i8, wait i8 (microseconds)
--
-- A subject's value: version B, records B, then for each limit: id c8, algorithm B, at i8 (TIME of the record), untilFull i8
-- (TIME by which it means nothing any more), era i8, and
--   token bucket   balance i8, remainder i8 (of a unit, in parts of the period)
--   window         start i8, stop i8, used i8, ceiling i8 (the highest capacity while it was open: used above that is debt)
-- An era is a stamp of its own for each time that a bucket was full or a window was opened: a refund counts only in the era in
-- which its charge was made. A record that this request does not name belongs to another configuration, and is kept as it is.
-- The lane's value: version B, number i8, then the reply.
--
-- Nothing is written before everything is read and checked. The first write of a batch that grants may grow memory, so that a
-- full Redis refuses it as a whole; the first write of any other batch may not, so that a full Redis settles and cancels.

local VERSION = 1
local MAX = 9007199254740991
local STANDS_STILL = 10000000
local LONGEST = 3155760000000000

local RUN, CANCEL, LOOK = 1, 2, 3
local RESERVE, SETTLE = 1, 2
local DONE, LATE, LANE_REFUSED, CANCELLED_AFTER, CANCELLED_BEFORE = 1, 2, 3, 4, 5
local GRANTED, DENIED, BOUNDS_NEEDED, REFUSED, SETTLED, LOOKED = 1, 2, 3, 4, 5, 6
local WRONG_TYPE, OTHER_VERSION, DAMAGED, OUT_OF_RANGE = 1, 2, 3, 4
local BUCKET, ALIGNED, CALENDAR = 1, 2, 3

local pack, unpack = struct.pack, struct.unpack
local fmod, ceil, min, max = math.fmod, math.ceil, math.min, math.max

local request = ARGV[1]
local mode, number, notAfter, laneTtl, termsCount, callsCount, position = unpack('>Bi8i8i8HH', request)

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

---------------------------------------------------------------------------------------------------------------- the lane

local remembered, lastReply = 0, nil
if mode ~= LOOK then
  local value = redis.call('GET', KEYS[1])
  if value then
    local version, last, from = unpack('>Bi8', value)
    if version ~= VERSION then
      return pack('>Bi8', LANE_REFUSED, now)
    end
    remembered, lastReply = last, string.sub(value, from)
  end
end

if mode == RUN then
  if number == remembered then
    return lastReply
  elseif number ~= remembered + 1 then
    return pack('>Bi8', LANE_REFUSED, now)
  elseif now > notAfter then
    return pack('>Bi8', LATE, now)
  end
elseif mode == CANCEL then
  if number == remembered then
    local status = unpack('>B', lastReply)
    if status ~= DONE then
      return lastReply
    end
  elseif number ~= remembered + 1 then
    return pack('>Bi8', LANE_REFUSED, now)
  end
end

local function remember(reply)
  redis.call('SET', KEYS[1], pack('>Bi8', VERSION, number) .. reply, 'PX', string.format('%.0f', laneTtl))
end

if mode == CANCEL and number ~= remembered then
  local reply = pack('>Bi8', CANCELLED_BEFORE, now)
  redis.call('DEL', KEYS[1])
  remember(reply)
  return reply
end

-------------------------------------------------------------------------------------------------------------- arithmetic

-- (micros * amount + remainder) / period as quotient and rest, exact although the product may have 98 bits;
-- the quotient must be below 2^53.
local function refill(micros, amount, period, remainder)
  local part, rest = fmod(micros, period), fmod(amount, period)
  local units = (micros - part) / period * amount + part * ((amount - rest) / period)
  local product = part * rest + remainder
  if product <= MAX then
    local left = fmod(product, period)
    return units + (product - left) / period, left
  end
  local quotient, left = 0, 0
  local digit = 281474976710656
  while digit >= 1 do
    local value = left * 64 + part * fmod((rest - fmod(rest, digit)) / digit, 64)
    left = fmod(value, period)
    quotient = quotient * 64 + (value - left) / period
    digit = digit / 64
  end
  local value = left + remainder
  left = fmod(value, period)
  return units + quotient + (value - left) / period, left
end

-- The least time after which a refill is at least that many units.
local function timeToRefill(units, amount, period, remainder)
  local product = units * period
  if product <= MAX then
    return min(LONGEST, ceil((product - remainder) / amount))
  end
  local micros = (product - remainder) / amount
  if micros >= LONGEST then
    return LONGEST
  end
  micros = max(0, math.floor(micros) - 8)
  while refill(micros, amount, period, remainder) < units do
    micros = micros + 1
  end
  return micros
end

-------------------------------------------------------------------------------------------------------------- algorithms
-- Each works on a record that was brought to its time by `advance`. Below 10 s behind the record's own time the clock stands
-- still; further back it was set, and the record follows it.

local function clock(record)
  if now >= record.at then
    return now, false
  elseif record.at - now <= STANDS_STILL then
    return record.at, false
  end
  return now, true
end

local function nextEra(record)
  return max(record.at, record.era + 1)
end

local bucket = { size = 24 }

function bucket.fresh(terms)
  return { at = now, era = now, balance = terms.capacity, remainder = 0 }
end

function bucket.read(record, raw, from)
  record.era, record.balance, record.remainder = unpack('>i8i8i8', raw, from)
end

function bucket.sound(record, terms)
  return record.balance <= MAX and record.balance >= -MAX and record.remainder >= 0 and record.remainder < terms.period
end

function bucket.write(record)
  return pack('>i8i8i8', record.era, record.balance, record.remainder)
end

function bucket.fill(record, terms)
  record.balance, record.remainder, record.era = terms.capacity, 0, nextEra(record)
end

function bucket.advance(record, terms)
  local at, setBack = clock(record)
  local micros = at - record.at
  record.at = at
  if setBack then
    record.era = nextEra(record)
  end
  local missing = terms.capacity - record.balance
  if missing < 0 then
    bucket.fill(record, terms)
  elseif missing > MAX then
    record.balance, missing = terms.capacity - MAX, MAX
  end
  if missing > 0 and micros > 0 then
    local periods = (micros - fmod(micros, terms.period)) / terms.period
    if periods * terms.amount >= missing then
      bucket.fill(record, terms)
    else
      local units, remainder = refill(micros, terms.amount, terms.period, record.remainder)
      if units >= missing then
        bucket.fill(record, terms)
      else
        record.balance, record.remainder = record.balance + units, remainder
      end
    end
  end
  return true
end

function bucket.balance(record)
  return record.balance
end

function bucket.wait(record, terms, amount)
  return timeToRefill(min(amount, terms.capacity) - record.balance, terms.amount, terms.period, record.remainder)
end

function bucket.charge(record, terms, amount)
  record.balance = max(record.balance - amount, terms.capacity - MAX)
end

function bucket.refund(record, terms, amount)
  if record.balance < terms.capacity then
    record.balance = record.balance + amount
    if record.balance >= terms.capacity then
      bucket.fill(record, terms)
    end
  end
end

function bucket.untilFull(record, terms)
  if record.balance >= terms.capacity then
    return 0
  end
  return timeToRefill(terms.capacity - record.balance, terms.amount, terms.period, record.remainder)
end

local window = { size = 40 }

function window.bounds(terms, at)
  if terms.algorithm == ALIGNED then
    local start = at - fmod(at - terms.offset, terms.period)
    return start, start + terms.period
  end
  for i = 1, #terms.bounds - 1 do
    if terms.bounds[i] <= at and at < terms.bounds[i + 1] then
      return terms.bounds[i], terms.bounds[i + 1]
    end
  end
  return nil
end

function window.fresh(terms)
  local start, stop = window.bounds(terms, now)
  if start then
    return { at = now, era = now, start = start, stop = stop, used = 0, ceiling = terms.capacity }
  end
  return nil
end

function window.read(record, raw, from)
  record.era, record.start, record.stop, record.used, record.ceiling = unpack('>i8i8i8i8i8', raw, from)
end

function window.sound(record)
  return record.start >= 0 and record.stop > record.start and record.stop <= MAX
    and record.used >= 0 and record.used <= MAX and record.ceiling >= 0 and record.ceiling <= MAX
end

function window.write(record)
  return pack('>i8i8i8i8i8', record.era, record.start, record.stop, record.used, record.ceiling)
end

function window.advance(record, terms)
  local at = clock(record)
  local over = at >= record.stop
  if over or at < record.start then
    local start, stop = window.bounds(terms, at)
    if not start then
      return false
    end
    if over then
      local skipped = max(0, math.floor((start - record.stop) / terms.period))
      local debt = max(0, record.used - record.ceiling)
      record.used = max(0, debt - skipped * terms.capacity)
      record.ceiling = terms.capacity
      record.era = max(at, record.era + 1)
    end
    record.start, record.stop = start, stop
  end
  record.at = at
  record.ceiling = max(record.ceiling, terms.capacity)
  return true
end

function window.balance(record, terms)
  return terms.capacity - record.used
end

-- Whole windows to come, once what is left of this one is over, until `amount` fits beside the debt.
local function windowsFor(record, terms, amount)
  local debt = max(0, record.used - record.ceiling)
  return max(0, ceil((debt + amount - terms.capacity) / terms.capacity))
end

function window.wait(record, terms, amount)
  local later = windowsFor(record, terms, min(amount, terms.capacity)) * terms.period
  return min(LONGEST, record.stop - record.at + later)
end

function window.charge(record, terms, amount)
  record.used = min(MAX, record.used + amount)
end

function window.refund(record, terms, amount)
  record.used = max(0, record.used - amount)
end

function window.untilFull(record, terms)
  if record.used == 0 then
    return 0
  end
  return window.wait(record, terms, terms.capacity)
end

local algorithms = { [BUCKET] = bucket, [ALIGNED] = window, [CALENDAR] = window }

------------------------------------------------------------------------------------------------------------ the subjects

local function readTerms()
  local limits, count = {}, nil
  count, position = unpack('>B', request, position)
  for i = 1, count do
    local terms = {}
    terms.id, terms.algorithm, terms.capacity, terms.amount, terms.period, position =
      unpack('>c8Bi8i8i8', request, position)
    if terms.algorithm == ALIGNED then
      terms.offset, position = unpack('>i8', request, position)
    elseif terms.algorithm == CALENDAR then
      local bounds
      bounds, position = unpack('>B', request, position)
      terms.bounds = {}
      for j = 1, bounds do
        terms.bounds[j], position = unpack('>i8', request, position)
      end
    end
    limits[i] = terms
  end
  return limits
end

-- The records of a subject: those that the terms name, at their time, and the others as they are. A reason where there is
-- something else at the key.
local function readRecords(key, limits)
  local raw = redis.pcall('GET', key)
  if type(raw) == 'table' then
    return nil, WRONG_TYPE
  end
  local found, others = {}, {}
  if raw then
    if #raw < 2 then
      return nil, DAMAGED
    end
    local version, count, from = unpack('>BB', raw)
    if version ~= VERSION then
      return nil, OTHER_VERSION
    end
    for _ = 1, count do
      if from + 24 > #raw then
        return nil, DAMAGED
      end
      local record, start = {}, from
      record.id, record.algorithm, record.at, record.untilFull, from = unpack('>c8Bi8i8', raw, from)
      local algorithm = algorithms[record.algorithm]
      if not algorithm then
        return nil, OTHER_VERSION
      end
      if from + algorithm.size - 1 > #raw then
        return nil, DAMAGED
      end
      algorithm.read(record, raw, from)
      from = from + algorithm.size
      if record.at < 0 or record.at > MAX or record.untilFull < 0 or record.untilFull > MAX
        or record.era < 0 or record.era > MAX then
        return nil, DAMAGED
      end
      found[record.id] = record
      others[#others + 1] = record
    end
    if from ~= #raw + 1 then
      return nil, DAMAGED
    end
  end

  local records = { others = {}, setBack = false }
  for i = 1, #limits do
    local terms = limits[i]
    local record = found[terms.id]
    if record then
      found[terms.id] = nil
      local _, setBack = clock(record)
      records.setBack = records.setBack or setBack
      if record.algorithm ~= terms.algorithm or not algorithms[terms.algorithm].sound(record, terms) then
        return nil, DAMAGED
      end
      if not algorithms[terms.algorithm].advance(record, terms) then
        return { boundsNeeded = true }
      end
    else
      record = algorithms[terms.algorithm].fresh(terms)
      if not record then
        return { boundsNeeded = true }
      end
    end
    records[i] = record
  end
  for i = 1, #others do
    local record = others[i]
    if found[record.id] == record then
      local at, setBack = clock(record)
      if setBack then
        record.untilFull, record.at = record.untilFull - (record.at - at), at
      end
      if record.untilFull > now then
        records.others[#records.others + 1] = record
      end
    end
  end
  return records
end

local function writeSubject(key, limits, records)
  local values, last = { '' }, notAfter
  for i = 1, #limits do
    local terms, record = limits[i], records[i]
    local algorithm = algorithms[terms.algorithm]
    local untilFull = record.at + algorithm.untilFull(record, terms)
    values[#values + 1] = pack('>c8Bi8i8', terms.id, terms.algorithm, record.at, untilFull)
    values[#values + 1] = algorithm.write(record)
    last = max(last, untilFull)
  end
  for i = 1, #records.others do
    local record = records.others[i]
    values[#values + 1] = pack('>c8Bi8i8', record.id, record.algorithm, record.at, record.untilFull)
    values[#values + 1] = algorithms[record.algorithm].write(record)
    last = max(last, record.untilFull)
  end
  values[1] = pack('>BB', VERSION, #limits + #records.others)
  local ttl = max(1, ceil((last - now) / 1000))
  redis.call('SET', key, table.concat(values), 'PX', string.format('%.0f', ttl))
end

local subjects = {}
for i = 1, termsCount do
  local limits = readTerms()
  local records, reason = readRecords(KEYS[i + 1], limits)
  -- A record that followed a clock which was set back is written even where nothing is charged: else it would stand still for
  -- as long as calls are only denied.
  local changed = records ~= nil and records.setBack == true
  subjects[i] = { key = KEYS[i + 1], limits = limits, records = records, reason = reason, changed = changed }
end

--------------------------------------------------------------------------------------------------------------- the calls

local function inRange(amount)
  return amount >= 0 and amount <= MAX
end

-- A call with its parts, and the result that refuses it where a subject or an amount of its own is bad.
local function readCall()
  local op, count
  op, count, position = unpack('>BB', request, position)
  local call = { op = op }
  local refusal = nil
  for i = 1, count do
    local index, dry
    index, dry, position = unpack('>HB', request, position)
    local subject = subjects[index]
    local part = { subject = subject, dry = dry == 1, amounts = {}, eras = {}, actual = {} }
    for j = 1, #subject.limits do
      if op == RESERVE then
        part.amounts[j], position = unpack('>i8', request, position)
      elseif op == SETTLE then
        part.eras[j], part.amounts[j], part.actual[j], position = unpack('>i8i8i8', request, position)
      end
      if op ~= LOOK and not (inRange(part.amounts[j]) and inRange(part.actual[j] or 0)) then
        refusal = refusal or pack('>BBB', REFUSED, i, OUT_OF_RANGE)
      end
    end
    if subject.reason then
      refusal = refusal or pack('>BBB', REFUSED, i, subject.reason)
    elseif subject.records.boundsNeeded then
      refusal = refusal or pack('>B', BOUNDS_NEEDED)
    end
    call[i] = part
  end
  return call, refusal
end

-- Of the limits that do not cover their amount, the one with the longest wait.
local function shortOf(part)
  local short = nil
  local subject = part.subject
  for j = 1, #subject.limits do
    local amount = part.amounts[j]
    if amount > 0 then
      local terms, record = subject.limits[j], subject.records[j]
      local algorithm = algorithms[terms.algorithm]
      local balance = algorithm.balance(record, terms)
      if balance < min(amount, terms.capacity) then
        local wait = algorithm.wait(record, terms, amount)
        if not short or wait > short.wait then
          short = { limit = j, available = balance, wait = wait }
        end
      end
    end
  end
  return short
end

local function each(part, action)
  local subject = part.subject
  for j = 1, #subject.limits do
    action(algorithms[subject.limits[j].algorithm], subject.records[j], subject.limits[j], j)
  end
end

local function charge(part)
  local answer = { pack('>B', 1) }
  each(part, function(algorithm, record, terms, j)
    if part.amounts[j] > 0 then
      algorithm.charge(record, terms, part.amounts[j])
      part.subject.changed = true
    end
    answer[#answer + 1] = pack('>i8i8', record.era, algorithm.balance(record, terms))
  end)
  return table.concat(answer)
end

local function refund(part, j, amount)
  local record, terms = part.subject.records[j], part.subject.limits[j]
  if amount > 0 and part.eras[j] == record.era then
    algorithms[terms.algorithm].refund(record, terms, amount)
    part.subject.changed = true
  end
end

local granted = 0

local function reserve(call)
  local longest, at = nil, nil
  for i = 1, #call do
    if not call[i].dry then
      local short = shortOf(call[i])
      if short and (not longest or short.wait > longest.wait) then
        longest, at = short, i
      end
    end
  end
  if longest then
    return pack('>BBBi8i8', DENIED, at, longest.limit, longest.available, longest.wait)
  end
  granted = granted + 1
  local answer = { pack('>B', GRANTED) }
  for i = 1, #call do
    local short = call[i].dry and shortOf(call[i])
    if short then
      answer[#answer + 1] = pack('>BBi8i8', 0, short.limit, short.available, short.wait)
    else
      answer[#answer + 1] = charge(call[i])
    end
  end
  return table.concat(answer)
end

local function settle(call)
  for i = 1, #call do
    local part = call[i]
    each(part, function(algorithm, record, terms, j)
      local over = part.actual[j] - part.amounts[j]
      if over > 0 then
        algorithm.charge(record, terms, over)
        part.subject.changed = true
      else
        refund(part, j, -over)
      end
    end)
  end
  return pack('>B', SETTLED)
end

local function look(call)
  local answer = { pack('>B', LOOKED) }
  for i = 1, #call do
    each(call[i], function(algorithm, record, terms)
      answer[#answer + 1] = pack('>i8i8', algorithm.balance(record, terms), algorithm.untilFull(record, terms))
    end)
  end
  return table.concat(answer)
end

-- Gives back what the remembered reply granted to this call; `from` is where its result stands there.
local function undo(call, from)
  local result
  result, from = unpack('>B', lastReply, from)
  if result == DENIED then
    return from + 18
  elseif result == REFUSED then
    return from + 2
  elseif result ~= GRANTED then
    return from
  end
  for i = 1, #call do
    local part, charged = call[i], nil
    charged, from = unpack('>B', lastReply, from)
    if charged == 1 then
      local readable = part.subject.records and not part.subject.records.boundsNeeded
      for j = 1, #part.subject.limits do
        part.eras[j] = unpack('>i8', lastReply, from)
        from = from + 16
        if readable then
          refund(part, j, part.amounts[j])
        end
      end
    else
      from = from + 17
    end
  end
  return from
end

local results = {}
if mode == CANCEL then
  local from = 10
  for _ = 1, callsCount do
    from = undo(readCall(), from)
  end
  results[1] = pack('>Bi8', CANCELLED_AFTER, now) .. string.sub(lastReply, 10)
else
  results[1] = pack('>Bi8', DONE, now)
  for i = 1, callsCount do
    local call, refusal = readCall()
    if refusal then
      results[i + 1] = refusal
    elseif call.op == RESERVE then
      results[i + 1] = reserve(call)
    elseif call.op == SETTLE then
      results[i + 1] = settle(call)
    else
      results[i + 1] = look(call)
    end
  end
end
local reply = table.concat(results)

------------------------------------------------------------------------------------------------------------- the writes

if mode ~= LOOK then
  if granted == 0 then
    redis.call('DEL', KEYS[1])
  end
  remember(reply)
  for i = 1, #subjects do
    if subjects[i].changed then
      writeSubject(subjects[i].key, subjects[i].limits, subjects[i].records)
    end
  end
end
return reply
