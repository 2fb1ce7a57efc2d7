-- Decides one batch of calls, all of it or nothing of it, and remembers what it answered.
--
-- KEYS[1]     the lane: what the last batch of its client was numbered and answered
-- KEYS[i+1]   the i-th subject
-- ARGV[1]     the request, packed big-endian:
--   head      mode B (1 run, 2 cancel, 3 look), number i8, notAfter i8 (microseconds of TIME), laneTtl i4 (milliseconds),
--             terms B, subjects H, settles H, reserves H, words H, numbers H
--   terms     limits B, windows among them B, record format B c0 (of a value as `struct` reads it), and for each limit: id I3,
--             capacity i8, then amount i8, period i8 (microseconds), both divided by divisor i8 (bucket); or 0 i8, period i8,
--             offset i8 (aligned window); or count of bounds i8, period i8, 0 i8 (calendar window);
--             then the bounds of each calendar window, i8 each
--   subjects  for each: terms B (from 1)
--   words     H each: for each settle, then for each reserve: count of parts, and for each part: subject (from 1), plus 32768
--             where it is a dry run
--   numbers   i8 each: for each limit of each part: era, actual - charged (settle); amount (reserve)
-- reply       packed big-endian: status B (1 done, 2 late, 3 lane refused, 4 cancelled after it ran, 5 cancelled before it
--             came), TIME i8, and with status 1 and 4:
--   subjects  0 B; or 1 B, and for each: 0 B, or why it cannot be used (1 wrong type, 2 written by another version, 3 damaged,
--             4 bounds needed)
--   values    of each that can be used, without its tail, after this batch
--   settles   for each: 1 B, or 0 B where a subject cannot be used, or 4 B part B (from 1) where an amount is out of range
--   reserves  for each: 1 B granted; 2 B, part B, short: denied; 3 B granted, with dry runs: for each part 1 B, or 0 B, short;
--             0 B, 4 B part B as for settles; where short is limit B (from 1), available i8, wait i8 (microseconds)
--   looks     in that mode, for each limit of each subject: until full i8 (microseconds)
--
-- A subject's value: version B, records B, at I7 (TIME of the records), expires I4 (when its TTL ends, in steps of 2^24
-- microseconds), for each record: id I3, its kind in the lowest two bits, and
--   token bucket   balance i7, remainder (of a unit, in parts of the period) I6, or I7 where the period may need it, era I5
--   window         used I7, ceiling I7 (the highest capacity while it was open: used above that is debt), era I5
-- then start I7, stop I7 of each calendar window; then the tail: records of limits that the last request did not name, each with
-- start and stop, if it has them, at I7, expires I4. They belong to another configuration, and are kept until they mean nothing.
-- An era counts the times that a bucket was full or a window was opened, from a number of its own in each new record (40 bits of
-- TIME): a refund counts only in the era in which its charge was made.
-- The lane's value: version B, number i8, expires I4, then the reply.
--
-- Nothing is written before everything is read and checked. The first write of a batch that grants may grow memory, so that a
-- full Redis refuses it as a whole; the first write of any other batch may not, so that a full Redis settles and cancels.
--
-- Redis runs this text anew for each batch: a function here costs its making, each time. What few batches need is a function,
-- what all of them need stands in the flow.

local VERSION = 1
local MAX = 9007199254740991
local STANDS_STILL = 10000000
local LONGEST = 3155760000000000
local STEP = 16777216
local ERAS = 1099511627776
local HEAD, HEAD_FIELDS, RECORD_FIELDS, TERMS_FIELDS = 13, 4, 4, 5

local RUN, CANCEL, LOOK = 1, 2, 3
local DONE, LATE, LANE_REFUSED, CANCELLED_AFTER, CANCELLED_BEFORE = 1, 2, 3, 4, 5
local CHANGED, RENEWED = 1, 2
local WRONG_TYPE, OTHER_VERSION, DAMAGED, BOUNDS_NEEDED = 1, 2, 3, 4
local ALIGNED, CALENDAR = 2, 3 -- kinds of records; below these are buckets

local pack, unpack, list = struct.pack, struct.unpack, unpack

local request = ARGV[1]
local mode, number, notAfter, laneTtl, termsCount, subjectsCount, settles, reserves, words, numbers, position =
  unpack('>Bi8i8i4BHHHHH', request)

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local values = redis.call('MGET', list(KEYS))

---------------------------------------------------------------------------------------------------------------- the lane

local lane = values[1]
local remembered, laneExpires, lastReply, reply = 0, 0, nil, nil
if lane and mode ~= LOOK then
  local version, last, expires, from = unpack('>Bi8I4', lane)
  if version ~= VERSION then
    return pack('>Bi8', LANE_REFUSED, now)
  end
  remembered, laneExpires = last, expires * STEP
  if last == number then
    lastReply = string.sub(lane, from)
  end
end

if mode == RUN then
  if lastReply then
    return lastReply
  elseif number ~= remembered + 1 then
    return pack('>Bi8', LANE_REFUSED, now)
  elseif now > notAfter then
    return pack('>Bi8', LATE, now)
  end
elseif mode == CANCEL then
  if lastReply then
    if string.byte(lastReply) ~= DONE then
      return lastReply
    end
  elseif number ~= remembered + 1 then
    return pack('>Bi8', LANE_REFUSED, now)
  else
    -- It came before its batch: the number is used, and nothing else happens.
    reply = pack('>Bi8', CANCELLED_BEFORE, now)
    termsCount, subjectsCount, settles, reserves, words, numbers = 0, 0, 0, 0, 0, 0
  end
end

---------------------------------------------------------------------------------------------------- what few batches need
-- Long products, waits, windows, and values that were written under other terms.

local function rareFunctions()
  -- (micros * amount + remainder) / period as quotient and rest, exact although the product may have 98 bits;
  -- the quotient must be below 2^53.
  local function refill(micros, amount, period, remainder)
    local fmod = math.fmod
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

  -- What a bucket gains in that time, if that is less than it lacks.
  local function gained(micros, lacking, amount, period, remainder)
    if (micros - math.fmod(micros, period)) / period * amount >= lacking then
      return lacking, 0
    end
    return refill(micros, amount, period, remainder)
  end

  -- Where the window begins and ends in which `at` lies.
  local function bounds(t, j, at)
    local m = (j - 1) * TERMS_FIELDS
    if t[m + 1] % 4 == ALIGNED then
      local start = at - math.fmod(at - t[m + 5], t[m + 4])
      return start, start + t[m + 4]
    end
    local known = t.bounds[j]
    for i = 1, #known - 1 do
      if known[i] <= at and at < known[i + 1] then
        return known[i], known[i + 1]
      end
    end
    return nil
  end

  -- How long until the balance of a limit covers `need`, which is at most its capacity.
  local function wait(f, t, j, need)
    local k, m = HEAD_FIELDS + (j - 1) * RECORD_FIELDS, (j - 1) * TERMS_FIELDS
    local capacity, balance = t[m + 2], f[k + 2]
    if t[m + 1] % 4 >= ALIGNED then
      local debt = math.max(0, capacity - balance - f[k + 3])
      local windows = math.max(0, math.ceil((debt + need - capacity) / capacity))
      local stop = f[t.extra[j] + 2]
      if t[m + 1] % 4 == ALIGNED then
        stop = select(2, bounds(t, j, f[3]))
      end
      return math.min(LONGEST, stop - f[3] + windows * t[m + 4])
    end
    local amount, period, remainder = t[m + 3], t[m + 4], f[k + 3] / t[m + 5]
    local units = need - balance
    local product = units * period
    if product <= MAX and remainder % 1 == 0 then
      return math.min(LONGEST, math.ceil((product - remainder) / amount))
    end
    amount, period, remainder = amount * t[m + 5], period * t[m + 5], f[k + 3]
    local micros = (units * period - remainder) / amount
    if micros >= LONGEST then
      return LONGEST
    end
    micros = math.max(0, math.floor(micros) - 8)
    while refill(micros, amount, period, remainder) < units do
      micros = micros + 1
    end
    return micros
  end

  local RECORDS = { '>I3i7I6I5', '>I3i7I7I5', '>I3I7I7I5', '>I3I7I7I5' }

  -- Makes what the terms name out of a value that was written under others, or of none; what they do not name becomes the tail.
  local function arranged(value, t)
    local at, expires, found, order = now, 0, {}, {}
    if value then
      local version, count, from
      if #value < 2 then
        return nil, DAMAGED
      end
      version, count = string.byte(value, 1, 2)
      if version ~= VERSION then
        return nil, OTHER_VERSION
      elseif #value < HEAD then
        return nil, DAMAGED
      end
      at, expires, from = unpack('>I7I4', value, 3)
      local function read()
        if from + 2 > #value then
          return nil
        end
        local format = RECORDS[string.byte(value, from + 2) % 4 + 1]
        local size = struct.size(format)
        if from + size - 1 > #value then
          return nil
        end
        local record = { unpack(format, value, from) }
        from = table.remove(record)
        order[#order + 1], found[record[1]] = record, record
        return record
      end
      local function readBounds(record)
        if from + 13 > #value then
          return false
        end
        record[5], record[6], from = unpack('>I7I7', value, from)
        return true
      end
      for _ = 1, count do
        local record = read()
        if not record then
          return nil, DAMAGED
        end
        record.at, record.expires = at, expires
      end
      for i = 1, count do
        if order[i][1] % 4 == CALENDAR and not readBounds(order[i]) then
          return nil, DAMAGED
        end
      end
      while from <= #value do
        local record = read()
        if not record or (record[1] % 4 == CALENDAR and not readBounds(record)) or from + 10 > #value then
          return nil, DAMAGED
        end
        record.at, record.expires, from = unpack('>I7I4', value, from)
      end
    end

    local f, from = { VERSION, t.count, at, expires }, {}
    for j = 1, t.count do
      local k, m = HEAD_FIELDS + (j - 1) * RECORD_FIELDS, (j - 1) * TERMS_FIELDS
      local id = t[m + 1]
      local record = found[id]
      found[id] = nil
      if not record then
        local kind = id % 4
        record = { id, t[m + 2], 0, now % ERAS, at = at }
        if kind >= ALIGNED then
          record[2], record[3] = 0, t[m + 2]
        end
        if kind == CALENDAR then
          record[5], record[6] = bounds(t, j, at)
          if not record[5] then
            return nil, BOUNDS_NEEDED
          end
        end
      end
      for field = 1, RECORD_FIELDS do
        f[k + field] = record[field]
      end
      if record[5] then
        f[t.extra[j] + 1], f[t.extra[j] + 2] = record[5], record[6]
      end
      from[j] = record.at
    end
    local tail = {}
    for i = 1, #order do
      local record = order[i]
      if found[record[1]] == record and record.expires * STEP > now then
        tail[#tail + 1] = pack(RECORDS[record[1] % 4 + 1], list(record))
          .. (record[5] and pack('>I7I7', record[5], record[6]) or '') .. pack('>I7I4', record.at, record.expires)
        f.tailExpires = math.max(f.tailExpires or 0, record.expires)
      end
    end
    f.tail, f.from = table.concat(tail), from
    return f
  end

  -- Brings a window from one time to another, and its balance into its record; says what is wrong, if something is.
  local function advanceWindow(f, t, j, from, at)
    local k, m = HEAD_FIELDS + (j - 1) * RECORD_FIELDS, (j - 1) * TERMS_FIELDS
    local capacity, used, ceiling, extra = t[m + 2], f[k + 2], f[k + 3], t.extra[j]
    local calendar = t[m + 1] % 4 == CALENDAR
    local start, stop
    if calendar then
      start, stop = f[extra + 1], f[extra + 2]
    else
      start, stop = bounds(t, j, from)
    end
    if used > MAX or ceiling > MAX or stop <= start or stop > MAX then
      return DAMAGED
    end
    if at >= stop or at < start then
      local former = stop
      start, stop = bounds(t, j, at)
      if not start then
        return BOUNDS_NEEDED
      end
      if at >= former then
        local skipped = math.max(0, math.floor((start - former) / t[m + 4]))
        used = math.max(0, math.max(0, used - ceiling) - skipped * capacity)
        ceiling = capacity
        f[k + 4] = (f[k + 4] + 1) % ERAS
      end
      if calendar then
        f[extra + 1], f[extra + 2] = start, stop
      end
    end
    f[k + 2], f[k + 3] = capacity - used, math.max(ceiling, capacity)
    return nil
  end

  return { gained = gained, wait = wait, arranged = arranged, advanceWindow = advanceWindow }
end

local rare = nil

--------------------------------------------------------------------------------------------------------------- the terms
-- A request's terms as they stand there, five fields a limit; `extra` has where start and stop of a calendar window follow.

local terms = {}
for i = 1, termsCount do
  local count, windows, format
  count, windows, format, position = unpack('>BBBc0', request, position)
  local t = {
    count = count, windows = windows, format = format, size = struct.size(format), bounds = false, extra = false,
    unpack('>' .. string.rep('I3i8i8i8i8', count), request, position)
  }
  position = t[count * TERMS_FIELDS + 1]
  if windows > 0 then
    t.bounds, t.extra = {}, {}
    local extra = HEAD_FIELDS + count * RECORD_FIELDS
    for j = 1, count do
      local m = (j - 1) * TERMS_FIELDS
      t.extra[j] = extra
      if t[m + 1] % 4 == CALENDAR then
        local sent = t[m + 3]
        t.bounds[j] = { unpack('>' .. string.rep('i8', sent), request, position) }
        position = table.remove(t.bounds[j])
        extra = extra + 2
      end
    end
  end
  terms[i] = t
end

local termsOf = { string.byte(request, position, position + subjectsCount - 1) }
position = position + subjectsCount

------------------------------------------------------------------------------------------------------------ the subjects
-- A value as it stands in Redis, four fields and four more a record; while it is worked on, a window has its balance where the
-- value has what is used. Limit j has fields j * 4 + 1 to j * 4 + 4 of it, and j * 5 - 4 to j * 5 of its terms.

local states, changed, flags = { false }, { false }, nil
for i = 1, subjectsCount do
  local t, value = terms[termsOf[i]], values[i + 1]
  local count = t.count
  local f, bad = nil, nil
  if value and #value == t.size then
    f = { unpack(t.format, value) }
    if f[1] ~= VERSION or f[2] ~= count then
      f = nil
    else
      for j = 1, count do
        if f[j * 4 + 1] ~= t[j * 5 - 4] then
          f = nil
          break
        end
      end
    end
  end
  if not f then
    if not value and redis.call('EXISTS', KEYS[i + 1]) == 1 then
      bad = WRONG_TYPE
    else
      rare = rare or rareFunctions()
      f, bad = rare.arranged(value, t)
    end
  end
  if f then
    local at, micros, setBack = now, now - f[3], false
    if micros < 0 then
      if micros >= -STANDS_STILL then
        at = f[3]
      else
        -- Written even where nothing is charged: else it would stand still for as long as calls are only denied.
        setBack, changed[i] = true, CHANGED
      end
      micros = 0
    end
    if f[3] > MAX then
      bad = DAMAGED
    end
    for j = 1, count do
      local k, m = j * 4, j * 5 - 5
      if f.from then
        micros = math.max(0, at - f.from[j])
      end
      if t.windows > 0 and t[m + 1] % 4 >= ALIGNED then
        rare = rare or rareFunctions()
        bad = bad or rare.advanceWindow(f, t, j, f.from and f.from[j] or f[3], at)
      else
        local capacity, balance, divisor = t[m + 2], f[k + 2], t[m + 5]
        if balance > MAX or balance < -MAX or f[k + 3] >= t[m + 4] * divisor then
          bad = bad or DAMAGED
          break
        end
        if setBack then
          f[k + 4] = (f[k + 4] + 1) % ERAS
        end
        local lacking = capacity - balance
        if lacking > MAX then
          balance, lacking = capacity - MAX, MAX
        end
        if lacking ~= 0 then
          local units, rest = 0, f[k + 3]
          if lacking > 0 and micros > 0 then
            local period = t[m + 4]
            local remainder = rest / divisor
            local product = micros * t[m + 3] + remainder
            if product <= MAX and remainder % 1 == 0 then
              rest = product % period
              if rest < 0 then
                rest = rest + period
              end
              units, rest = (product - rest) / period, rest * divisor
            else
              rare = rare or rareFunctions()
              units, rest = rare.gained(micros, lacking, t[m + 3] * divisor, period * divisor, rest)
            end
          end
          if lacking < 0 or units >= lacking then
            f[k + 2], f[k + 3], f[k + 4] = capacity, 0, (f[k + 4] + 1) % ERAS
          else
            f[k + 2], f[k + 3] = balance + units, rest
          end
        end
      end
    end
    f[3] = at
  end
  if bad then
    flags = flags or {}
    flags[i], f = bad, false
  end
  states[i] = f
end

--------------------------------------------------------------------------------------------------------------- the calls

local word = { unpack('>' .. string.rep('H', words) .. string.rep('i8', numbers), request, position) }
local w, n = 1, words + 1

local out, granted = { '' }, 0

-- What a cancel undoes is settled as unused; what the batch settled stays.
if lastReply then
  local from = 11
  local bad = { string.byte(lastReply, 10) }
  if bad[1] == 1 then
    bad = { string.byte(lastReply, from, from + subjectsCount - 1) }
    from = from + subjectsCount
  end
  local eras = {}
  for i = 1, subjectsCount do
    if (bad[i] or 0) == 0 then
      local t = terms[termsOf[i]]
      eras[i] = { unpack(t.format, lastReply, from) }
      from = from + t.size
    end
  end
  for _ = 1, settles do
    for part = w + 1, w + word[w] do
      n = n + terms[termsOf[word[part]]].count * 2
    end
    w = w + word[w] + 1
    from = from + (string.byte(lastReply, from) == 4 and 2 or 1)
  end
  local unusedWords, unused = {}, {}
  settles = 0
  for _ = 1, reserves do
    local result = string.byte(lastReply, from)
    from = from + (result == 2 and 19 or result == 4 and 2 or 1)
    for part = w + 1, w + word[w] do
      local i = word[part] % 32768
      local charged = result == 1
      if result == 3 then
        charged = string.byte(lastReply, from) == 1
        from = from + (charged and 1 or 18)
      end
      if charged then
        settles = settles + 1
        unusedWords[#unusedWords + 1], unusedWords[#unusedWords + 2] = 1, i
      end
      for j = 1, terms[termsOf[i]].count do
        if charged then
          unused[#unused + 1], unused[#unused + 2] = eras[i][j * 4 + 4], -word[n]
        end
        n = n + 1
      end
    end
    w = w + word[w] + 1
  end
  word, w, n, reserves = unusedWords, 1, #unusedWords + 1, 0
  for k = 1, #unused do
    word[#word + 1] = unused[k]
  end
end

for c = 1, settles do
  local last, first = w + word[w], n
  local result = '\1'
  for part = w + 1, last do
    local i = word[part]
    if not states[i] then
      result = result == '\1' and '\0' or result
    end
    for _ = 1, terms[termsOf[i]].count do
      if word[n + 1] > MAX or word[n + 1] < -MAX then
        result = pack('>BB', 4, part - w)
      end
      n = n + 2
    end
  end
  if result == '\1' then
    n = first
    for part = w + 1, last do
      local i = word[part]
      local f, t = states[i], terms[termsOf[i]]
      for j = 1, t.count do
        local more = word[n + 1]
        if more > 0 then
          local left, least = f[j * 4 + 2] - more, t[j * 5 - 3] - MAX
          f[j * 4 + 2] = left < least and least or left
          changed[i] = CHANGED
        elseif more < 0 and word[n] == f[j * 4 + 4] then
          local k, capacity = j * 4, t[j * 5 - 3]
          local balance = f[k + 2] - more
          changed[i] = CHANGED
          if t.windows > 0 and t[j * 5 - 4] % 4 >= ALIGNED then
            f[k + 2] = balance < capacity and balance or capacity
          elseif balance < capacity then
            f[k + 2] = balance
          elseif f[k + 2] < capacity then
            f[k + 2], f[k + 3], f[k + 4] = capacity, 0, (f[k + 4] + 1) % ERAS
          end
        end
        n = n + 2
      end
    end
  end
  out[c] = result
  w = last + 1
end

for c = settles + 1, settles + reserves do
  local last, first = w + word[w], n
  local result, dryRuns = '\1', nil
  local short, shortLimit, shortPart = -1, nil, nil
  for part = w + 1, last do
    local i = word[part]
    local dry = i >= 32768
    if dry then
      i, dryRuns = i - 32768, dryRuns or {}
    end
    local f, t = states[i], terms[termsOf[i]]
    local k, m, longest, limit = 6, 2, -1, nil
    for j = 1, t.count do
      local amount = word[n]
      if amount ~= 0 then
        if amount < 0 or amount > MAX then
          result = pack('>BB', 4, part - w)
        elseif f and f[k] < amount and f[k] < t[m] then
          rare = rare or rareFunctions()
          local longer = rare.wait(f, t, j, math.min(amount, t[m]))
          if longer > longest then
            longest, limit = longer, j
          end
        end
      end
      n, k, m = n + 1, k + 4, m + 5
    end
    if not f and result == '\1' then
      result = '\0'
    elseif dry then
      dryRuns[part] = limit and pack('>BBi8i8', 0, limit, f[limit * 4 + 2], longest) or '\1'
    elseif longest > short then
      short, shortLimit, shortPart = longest, limit, part
    end
  end
  if result == '\1' and shortLimit then
    local f = states[word[shortPart]]
    result = pack('>BBBi8i8', 2, shortPart - w, shortLimit, f[shortLimit * 4 + 2], short)
  elseif result == '\1' then
    n, granted = first, granted + 1
    local told = dryRuns and { '\3' } or nil
    for part = w + 1, last do
      local i = word[part] % 32768
      local f, t = states[i], terms[termsOf[i]]
      local charged = dryRuns and dryRuns[part] or '\1'
      if charged == '\1' then
        local k, m = 6, 2
        for _ = 1, t.count do
          local amount = word[n]
          if amount > 0 then
            local left, least = f[k] - amount, t[m] - MAX
            f[k] = left < least and least or left
            changed[i] = CHANGED
          end
          n, k, m = n + 1, k + 4, m + 5
        end
      else
        n = n + t.count
      end
      if told then
        told[#told + 1] = charged
      end
    end
    if told then
      result = table.concat(told)
    end
  end
  out[c] = result
  w = last + 1
end

--------------------------------------------------------------------------------------------------- the reply, the writes

if mode == LOOK then
  for i = 1, subjectsCount do
    local f, t = states[i], terms[termsOf[i]]
    for j = 1, f and t.count or 0 do
      local untilFull = 0
      if f[j * 4 + 2] < t[j * 5 - 3] then
        rare = rare or rareFunctions()
        untilFull = rare.wait(f, t, j, t[j * 5 - 3])
      end
      out[#out + 1] = pack('>i8', untilFull)
    end
  end
end

local told = { pack('>Bi8', DONE, now), '\0', '' }
if flags then
  told[2] = '\1'
  for i = 1, subjectsCount do
    told[2] = told[2] .. string.char(flags[i] or 0)
  end
end
for i = 1, subjectsCount do
  local f, t = states[i], terms[termsOf[i]]
  if not f then
    told[i + 2] = ''
  else
    local last = notAfter
    for j = 1, t.count do
      local k, m = j * 4, j * 5 - 5
      local capacity, balance = t[m + 2], f[k + 2]
      if balance < capacity then
        -- An upper bound is enough for a TTL.
        local full
        if t.windows > 0 and t[m + 1] % 4 >= ALIGNED then
          full = f[3] + ((capacity - balance) / capacity + 2) * t[m + 4]
        else
          full = f[3] + (capacity - balance) * t[m + 4] / t[m + 3] + 1
        end
        if full > last then
          last = full
        end
      end
      if t.windows > 0 and t[m + 1] % 4 >= ALIGNED then
        f[k + 2] = capacity - balance
      end
    end
    if last > now + LONGEST then
      last = now + LONGEST
    end
    if f.tailExpires and f.tailExpires * STEP > last then
      last = f.tailExpires * STEP
    end
    if changed[i] and f[4] * STEP < last then
      -- As long again, so that it need not be set anew with every write.
      f[4] = math.ceil((last + last - now) / STEP)
      changed[i] = RENEWED
    end
    told[i + 2] = pack(t.format, list(f))
  end
end

if lastReply then
  reply = pack('>Bi8', CANCELLED_AFTER, now) .. string.sub(lastReply, 10)
elseif not reply then
  reply = table.concat(told) .. table.concat(out)
end

if mode ~= LOOK then
  if granted == 0 then
    redis.call('DEL', KEYS[1])
    laneExpires = 0
  end
  local renewed = laneExpires - now < laneTtl * 750
  if renewed then
    laneExpires = math.ceil((now + laneTtl * 1000) / STEP) * STEP
  end
  local value = pack('>Bi8I4', VERSION, number, laneExpires / STEP) .. reply
  if renewed then
    redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', laneTtl))
  else
    redis.call('SET', KEYS[1], value, 'KEEPTTL')
  end
  for i = 1, subjectsCount do
    if changed[i] and states[i] then
      local f = states[i]
      local value = f.tail and told[i + 2] .. f.tail or told[i + 2]
      if changed[i] == RENEWED then
        local ttl = f[4] * STEP / 1000 - now / 1000
        redis.call('SET', KEYS[i + 1], value, 'PX', string.format('%.0f', ttl))
      else
        redis.call('SET', KEYS[i + 1], value, 'KEEPTTL')
      end
    end
  end
end
return reply
