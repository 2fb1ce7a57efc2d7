-- Decides one batch of calls, all of it or nothing of it, and remembers what it answered.
--
-- KEYS[1]     the lane: what the last batch of its client was numbered and answered
-- KEYS[i+1]   the i-th subject; after them the lines that are named
-- ARGV[1]     the request, packed big-endian: how long its format is H, its format as `struct` reads it, and what that names:
--   head      mode (1 run, 2 cancel, 3 look; plus 8 where lines are named, and 16 where cool-downs are told), number, notAfter (microseconds of TIME), laneTtl (milliseconds), and how many
--             subjects, settles and reserves there are
--   subjects  for each: where its terms begin; then where the settles begin
--   lines     where any are named: process, what its channel begins with, how many lines there are, and of each: subject
--   cool-downs  where any are told: how many, and of each: where the terms of its budget begin, limit, and how long it is
--             (microseconds); how many reserves begin none, nor join where one is due, and of each: which
--   terms     of each budget: limits; format, bytes and head of a value; life (the exponent of a power of 2, in microseconds: no
--             shorter than an empty balance takes to be full); then of each limit, by its kind:
--               bucket              capacity and rate a microsecond in parts, parts of a unit
--               1 long bucket       capacity, -kind, 1
--               2 aligned window    likewise
--               3 calendar window   likewise
--               4 sliding window    likewise
--               5 calls in flight   likewise
--             then of each limit that is not a bucket: period (microseconds), and amount, offset, 5 bounds, or length of a slot
--   settles   for each: subject, and for each limit: era, actual - charged; or, with more added to the subject, something else:
--             16384     a reset: all is there, nobody is in debt, and no hold lasts; what was charged before gives nothing back
--             32768     a correction, with what the balance of each limit is at most, if it is a bucket (2^53 - 1 where that is not
--                       known) in the place of actual - charged
--             49152     a charge, or a refund of whatever was charged in any era
--             Calls in flight are renewed by two: one gives back what was charged in an era, the next charges as much in the present one
--   reserves  for each: count of parts, and for each part: subject, plus 32768 where it is a dry run; amount of each limit. Where
--             it has to do with lines, 128 is added to the count, and after that are: what it does (1 join where it is not covered,
--             2 ask, 3 leave, 4 beat, 5 hold, 6 go only if a share stays free, 7 of pieces of which these are the amounts of one go
--             with as many as there is room for, or do as 1 or 6 with one, 8 stand in line, covered or not; 16 added to 1, 2, 6, or to 0
--             for a call that does not wait: only look what would become of it), number, place (of 3: 0 where it is not known; of 4: how
--             many members to pass over; of 6: the share in percent; of 7: 128 times how many pieces at most, and the share of 6),
--             and how long it may wait (of 7: 0 if it never joins), or a hold lasts (microseconds)
--   Subjects count from 1, and so do the fields of a request.
-- reply       packed big-endian: version B, number i8, expires I4, status B (1 done, 2 late, 3 lane refused, 4 cancelled after it
--             ran, 5 cancelled before it came), TIME i8, and with status 1 and 4:
--   subjects  0 B; or 1 B, and for each: 0 B, or why it cannot be used (1 wrong type, 2 written by another version, 3 damaged,
--             4 bounds needed, 5 its line must be named)
--   values    of each that can be used, without its tail, after this batch
--   settles   for each: 1 B, or 6 B of a correction that lowered something, or 0 B where its subject cannot be used, or 4 B where an
--             amount is out of range
--   reserves  for each: 1 B granted; 2 B, part B, short: denied; 3 B granted, with dry runs: for each part 1 B, or 0 B, short;
--             0 B where a subject cannot be used; 4 B, part B where an amount is out of range; where short is limit B, available
--             i8 (beyond what waits), wait i8 (microseconds), how many stand in line I4, for how long it is held I7. Parts and limits
--             count from 1. 5 B, place I7, deadline I7, 1 B where no call of its process stood in one of its lines (or 0 B), part B,
--             short: joined; 6 B: waits on; 7 B: no longer in line; 8 B: done; 9 B, members to pass over next I4, 1 B where its
--             process was not in the line (or 0 B): the heartbeat was taken; 10 B, pieces I7, and then as granted: so many pieces
--             were, and each part is of all of them. 5 B of one that looked: it would join there. 11 B, place I7, deadline I7, 1 B as
--             above: it stands in line. 12 B, place I7: it does not, since another does at its place; that one is free. 13 B, place I7: it
--             looked, would be let go, and is not; that is where it would stand
--   looks     in that mode, for each subject: for each limit until full i8 and a newcomer's wait i8 (microseconds), then how many
--             wait I4; the newcomer is the only call of the request, and is not decided
--   Waits are lower bounds, by what is known: 0 for calls in flight, of which one may end at any moment.
--   wakes     where lines are named: how many H, and for each a call of this process, and when to ask: number I6, moment I7 (TIME)
--
-- A subject's value: its head: version * 32 + limits B, and for each: id I3, its kind in the lowest three bits, parts of a unit I4;
-- life B; at I7 (TIME of what follows); for each limit: balance i7 (a bucket's in parts of a unit, so that a refill needs no
-- division; a window's is what is used), era I3; then of each
--   long bucket       remainder I7 (of a unit, in parts of the period)
--   aligned window    ceiling I7 (the highest capacity while it was open: used above that is debt)
--   calendar window   ceiling I7, start I7, stop I7
--   sliding window    used in this slot I7, and in each of the 15 before it I7, the newest first; what is used and in none is debt
--   calls in flight   likewise, of a window that is as long as their lease; all of them are in slots, above the capacity too
-- then the tail: limits that the last request did not name, for each: id I3, parts I4, balance i7, era I3, what its kind adds,
-- at I7, until I7 (TIME from which it means nothing). They belong to another configuration, and are kept until then. Where life is
-- told as 128 more, its line's section is before the tail: see the head of line.lua.
--
-- An era counts the times that a bucket was full or a window was opened, from a number of its own in each new limit (24 bits of
-- TIME): a refund counts only in the era in which its charge was made. Of a sliding window and of calls in flight it counts slots: a
-- refund counts in that of its charge, for as long as that is there.
-- A key's TTL ends one life after the span in which it was set; spans are one life long, and the first write in each sets it.
-- The lane's value is the last reply; expires is when its TTL ends, in steps of 2^24 microseconds.
--
-- Nothing is written before everything is read and checked. The first write of a batch that grants may grow memory, so that a
-- full Redis refuses it as a whole; a full Redis still settles and cancels.
--
-- Redis runs this text anew for each batch: a function here costs its making, each time, more so with what it shares with its
-- surroundings, and a table, a string or a field of the request costs more than arithmetic. What few batches need is in
-- functions, what all of them need stands in the flow.

local VERSION = 1
local MAX = 9007199254740991
local DEEPEST = -7881299347898368
local STANDS_STILL = 10000000
local STEP = 16777216
local ERAS = 16777216
local RENEWED, HAS_LINE = 127, 128
local HEAD = '>Bi8I4Bi8'

local RUN, CANCEL, LOOK, WITH_LINES, WITH_COOL_DOWNS = 1, 2, 3, 8, 16
local DONE, LATE, LANE_REFUSED, CANCELLED_AFTER, CANCELLED_BEFORE = 1, 2, 3, 4, 5
local RESET, CORRECTION, IN_ANY_ERA = 16384, 32768, 49152
local LOOKS = 16
local WRONG_TYPE, DAMAGED, LINE_NEEDED = 1, 3, 5
local ALIGNED, CALENDAR, SLIDING, IN_FLIGHT = -2, -3, -4, -5

local pack, unpack, list = struct.pack, struct.unpack, unpack

local request = ARGV[1]
local format, begins = unpack('>Hc0', request)
local q = { unpack(format, request, begins) }
local mode, number, notAfter, laneTtl, subjects, settles, reserves = q[1], q[2], q[3], q[4], q[5], q[6], q[7]
local withLines, withCoolDowns = false, false
if mode >= WITH_LINES then
  withLines, withCoolDowns, mode = mode % WITH_COOL_DOWNS >= WITH_LINES, mode >= WITH_COOL_DOWNS, mode % WITH_LINES
end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local values = redis.call('MGET', list(KEYS, 1, subjects + 1))

---------------------------------------------------------------------------------------------------------------- the lane

local lane = values[1]
local remembered, laneExpires, lastReply = 0, 0, nil
if lane and mode ~= LOOK then
  local version
  version, remembered, laneExpires = unpack('>Bi8I4', lane)
  if version ~= VERSION then
    return pack(HEAD, VERSION, 0, 0, LANE_REFUSED, now)
  elseif remembered == number then
    lastReply = lane
  end
end

if mode == RUN then
  if lastReply then
    return lastReply
  elseif number ~= remembered + 1 then
    return pack(HEAD, VERSION, 0, 0, LANE_REFUSED, now)
  elseif now > notAfter then
    return pack(HEAD, VERSION, 0, 0, LATE, now)
  end
elseif mode == CANCEL then
  if not lastReply and number ~= remembered + 1 then
    return pack(HEAD, VERSION, 0, 0, LANE_REFUSED, now)
  elseif not lastReply then
    -- It came before its batch: the number is used, and nothing else happens.
    subjects, settles, reserves, withLines, withCoolDowns = 0, 0, 0, false, false
  elseif string.byte(lastReply, 14) ~= DONE then
    return lastReply
  end
end

---------------------------------------------------------------------------------------------------- what few batches need
-- Sliding windows and calls in flight; waits; long buckets, windows that open, and values that were written under other terms.

-- Where a value has what the kind of limit j adds, and where the request has its period.
local function extra(q, o, j)
  local x, y = 4 + q[o] * 2, o + 5 + q[o] * 3
  for m = o + 6, o + j * 3, 3 do
    local rate = q[m]
    if rate == -3 then
      x, y = x + 3, y + 6
    elseif rate < -3 then
      x, y = x + 2, y + 2
    elseif rate < 0 then
      x, y = x + 1, y + 2
    end
  end
  return x, y
end

-- What is used enters the slot of its time, as far as the window has room for it. The rest is debt, and enters as room is made: so
-- the slots together never hold more than the limit, and a window of any offset is covered by them. For calls in flight there is
-- always room: each is in the slot in which it was last heard of, and leaves it when it ends, or with it.
local function slotFunctions(q)
  local MAX, ERAS, LONGEST, SLOTS, IN_FLIGHT = 9007199254740991, 16777216, 3155760000000000, 16, -5
  local OLDER = '>I7I7I7I7I7I7I7I7I7I7I7I7I7I7I7'
  local unpack, pack, min, max = struct.unpack, struct.pack, math.min, math.max

  local function room(o, j)
    return q[o + 3 + j * 3] == IN_FLIGHT and MAX or q[o + 2 + j * 3]
  end

  local function opened(f, x, used, space)
    local slots, sum = { f[x], unpack(OLDER, f[x + 1]) }, 0
    slots[SLOTS + 1] = nil
    for i = 1, SLOTS do
      sum = sum + slots[i]
    end
    local debt = used - sum
    local entering = max(0, min(debt, space - sum))
    slots[1] = slots[1] + entering
    return slots, sum + entering, debt - entering
  end

  local function close(f, x, slots)
    f[x], f[x + 1] = slots[1], pack(OLDER, list(slots, 2, SLOTS))
  end

  -- Lets slots leave until so many have, or so much; says what is left, and how many did.
  local function pass(slots, sum, debt, space, most, much)
    local passed = 0
    while passed < most and much > 0 and sum + debt > 0 do
      local rounds = 0
      if sum == space and debt >= space then
        -- What leaves is replaced by as much: the slots look the same after each round.
        local rest = min(debt, much - 1)
        rounds = min((most - passed - (most - passed) % SLOTS) / SLOTS, (rest - rest % space) / space)
      end
      if rounds > 0 then
        debt, much, passed = debt - rounds * space, much - rounds * space, passed + rounds * SLOTS
      else
        local leaving = table.remove(slots)
        local entering = max(0, min(debt, space - sum + leaving))
        table.insert(slots, 1, entering)
        sum, debt, much, passed = sum - leaving + entering, debt - entering, much - leaving, passed + 1
      end
    end
    return sum, debt, passed
  end

  -- Brings a limit, of which the balance tells what is used, to a time; nothing if it is damaged.
  local function advance(f, o, j, from, at)
    local k, x, y = j * 2 + 2, extra(q, o, j)
    local capacity, space, used, width = q[o + 2 + j * 3], room(o, j), f[k], q[y + 1]
    local slots, sum, debt = opened(f, x, used, space)
    if used > MAX or used < 0 or debt < 0 then
      return nil
    end
    local passed = (at - at % width - from + from % width) / width
    sum, debt = pass(slots, sum, debt, space, passed, used + 1)
    close(f, x, slots)
    if at < from then
      -- The clock was set back: the slots stay, and take back nothing but calls in flight, which end whatever the clock says.
      passed = q[o + 3 + j * 3] == IN_FLIGHT and 0 or SLOTS
    end
    f[k], f[k + 1] = capacity - sum - debt, (f[k + 1] + passed) % ERAS
    return true
  end

  -- Before the balance is charged.
  local function charge(f, o, j, amount)
    local x, balance = extra(q, o, j), f[j * 2 + 2]
    if amount <= balance then
      f[x] = f[x] + amount
    else
      local space = room(o, j)
      local slots, sum = opened(f, x, q[o + 2 + j * 3] - balance, space)
      slots[1] = slots[1] + max(0, min(amount, space - sum))
      close(f, x, slots)
    end
  end

  -- Gives back to the slot of that number, or to all from the oldest on, and to debt what did not enter them; says whether there
  -- was anything to give back to.
  local function refund(f, o, j, era, amount)
    local k, x, space = j * 2 + 2, extra(q, o, j), room(o, j)
    local oldest, newest = SLOTS, 1
    if era then
      oldest = (f[k + 1] - era) % ERAS + 1
      newest = oldest
      if oldest > SLOTS then
        return false
      end
    end
    local slots, sum, debt = opened(f, x, q[o + 2 + j * 3] - f[k], space)
    local given = 0
    for i = oldest, newest, -1 do
      local part = min(amount - given, slots[i])
      slots[i], given = slots[i] - part, given + part
    end
    local paid = min(amount - given, debt)
    slots[1] = slots[1] + max(0, min(debt - paid, space - sum + given))
    close(f, x, slots)
    f[k] = f[k] + given + paid
    return given + paid > 0
  end

  -- How long until the balance covers `need`, if nothing more is used, and nothing is given back.
  local function wait(f, o, j, need)
    local k, x, y = j * 2 + 2, extra(q, o, j)
    local space, width = room(o, j), q[y + 1]
    local lacking, slots, sum, debt = need - f[k], opened(f, x, q[o + 2 + j * 3] - f[k], space)
    -- What goes before it enters the slots too, as there is room.
    local _, _, passed = pass(slots, sum, max(debt, lacking - sum), space, MAX, lacking)
    return min(LONGEST, f[3] - f[3] % width + passed * width - f[3])
  end

  return { advance = advance, charge = charge, refund = refund, wait = wait }
end

local slots

local function waitFunctions(q)
  local MAX, LONGEST, BUCKET, LONG, ALIGNED, CALENDAR, SLIDING, BOUNDS = 9007199254740991, 3155760000000000, 0, 1, 2, 3, 4, 5
  local fmod = math.fmod

  local function kind(o, j)
    local rate = q[o + 3 + j * 3]
    return rate > 0 and BUCKET or -rate
  end

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

  -- Where the window begins and ends in which `at` lies.
  local function bounds(o, j, at)
    local _, y = extra(q, o, j)
    if kind(o, j) == ALIGNED then
      local start = at - fmod(at - q[y + 1], q[y])
      return start, start + q[y]
    end
    for i = y + 1, y + BOUNDS - 1 do
      if q[i] <= at and at < q[i + 1] then
        return q[i], q[i + 1]
      end
    end
    return nil
  end

  -- How long until the balance of a limit covers `need`, which is at most its capacity.
  local function wait(f, o, j, need)
    local k, m, its = j * 2 + 2, o + 2 + j * 3, kind(o, j)
    if its == BUCKET then
      return math.min(LONGEST, math.ceil((need * q[m + 2] - f[k]) / q[m + 1]))
    end
    if its >= SLIDING then
      slots = slots or slotFunctions(q)
      return slots.wait(f, o, j, need)
    end
    local x, y = extra(q, o, j)
    if its ~= LONG then
      local capacity, period, balance, ceiling = q[m], q[y], f[k], f[x]
      local debt = math.max(0, capacity - balance - ceiling)
      local windows = math.max(0, math.ceil((debt + need - capacity) / capacity))
      local _, stop = bounds(o, j, f[3])
      if its == CALENDAR then
        stop = f[x + 2]
      end
      return math.min(LONGEST, stop - f[3] + windows * period)
    end
    local period, amount, remainder = q[y], q[y + 1], f[x]
    local units = need - f[k]
    local product = units * period
    if product <= MAX then
      return math.min(LONGEST, math.ceil((product - remainder) / amount))
    end
    local micros = (product - remainder) / amount
    if micros >= LONGEST then
      return LONGEST
    end
    micros = math.max(0, math.floor(micros) - 8)
    while refill(micros, amount, period, remainder) < units do
      micros = micros + 1
    end
    return micros
  end

  return wait, kind, refill, bounds
end

local function rareFunctions(q, now)
  local MAX, ERAS, LONGEST = 9007199254740991, 16777216, 3155760000000000
  local DEEPEST = -7881299347898368
  local OTHER_VERSION, DAMAGED, BOUNDS_NEEDED = 2, 3, 4
  local BUCKET, LONG, ALIGNED, CALENDAR, SLIDING, IN_FLIGHT = 0, 1, 2, 3, 4, 5
  local pack, unpack, byte, fmod = struct.pack, struct.unpack, string.byte, math.fmod
  local _, kind, refill, bounds = waitFunctions(q)

  local function advanceLong(f, o, j, micros)
    local k, x, y = j * 2 + 2, extra(q, o, j)
    local capacity, period, amount = q[o + 2 + j * 3], q[y], q[y + 1]
    local balance, rest = f[k], f[x]
    if balance > MAX or balance < -MAX or rest >= period then
      return DAMAGED
    end
    local lacking = capacity - balance
    if lacking > MAX then
      balance, lacking = capacity - MAX, MAX
    end
    local units = 0
    if lacking > 0 and micros > 0 then
      if (micros - fmod(micros, period)) / period * amount >= lacking then
        units = lacking
      else
        units, rest = refill(micros, amount, period, rest)
      end
    end
    if lacking < 0 or (lacking > 0 and units >= lacking) then
      f[k], f[x], f[k + 1] = capacity, 0, (f[k + 1] + 1) % ERAS
    else
      f[k], f[x] = balance + units, rest
    end
    return nil
  end

  local function advanceWindow(f, o, j, from, at)
    local k, m, x, y = j * 2 + 2, o + 2 + j * 3, extra(q, o, j)
    local capacity, used, ceiling = q[m], f[k], f[x]
    local calendar = kind(o, j) == CALENDAR
    local start, stop
    if calendar then
      start, stop = f[x + 1], f[x + 2]
    else
      start, stop = bounds(o, j, from)
    end
    if used > MAX or used < 0 or ceiling > MAX or stop <= start or stop > MAX then
      return DAMAGED
    end
    if at >= stop or at < start then
      local former = stop
      start, stop = bounds(o, j, at)
      if not start then
        return BOUNDS_NEEDED
      end
      if at >= former then
        -- To the nearest: months of 30 days are as many as those of 31, and a day on which the clocks change is one.
        local skipped = math.max(0, math.floor((start - former) / q[y] + 0.49))
        used = math.max(0, math.max(0, used - ceiling) - skipped * capacity)
        ceiling = capacity
        f[k + 1] = (f[k + 1] + 1) % ERAS
      end
      if calendar then
        f[x + 1], f[x + 2] = start, stop
      end
    end
    f[k], f[x] = capacity - used, math.max(ceiling, capacity)
    return nil
  end

  -- Brings a limit that is not a bucket to a time, and a window's balance to where its use is; says what is wrong, if something is.
  local function advance(f, o, j, from, at, setBack)
    local its = kind(o, j)
    if its >= SLIDING then
      slots = slots or slotFunctions(q)
      return not slots.advance(f, o, j, from, at) and DAMAGED or nil
    elseif its ~= LONG then
      return advanceWindow(f, o, j, from, at)
    elseif setBack then
      f[j * 2 + 3] = (f[j * 2 + 3] + 1) % ERAS
    end
    return advanceLong(f, o, j, math.max(0, at - from))
  end

  -- A limit was given back so much that it is full.
  local function filled(f, o, j)
    if kind(o, j) == LONG then
      f[extra(q, o, j)], f[j * 2 + 3] = 0, (f[j * 2 + 3] + 1) % ERAS
    end
  end

  -- As if nobody had used anything, in an era in which nothing was charged yet.
  local function reset(f, o)
    for j = 1, q[o] do
      local k, x, its = j * 2 + 2, extra(q, o, j), kind(o, j)
      local capacity = q[o + 2 + j * 3]
      f[k], f[k + 1] = capacity, (f[k + 1] + (its >= SLIDING and 16 or 1)) % ERAS
      if its == LONG then
        f[x] = 0
      elseif its >= SLIDING then
        f[x], f[x + 1] = 0, string.rep('\0', 105)
      elseif its ~= BUCKET then
        f[x] = capacity
      end
    end
  end

  -- The life of a value that has debts or a tail, which may mean something for longer than its terms say.
  local function life(f, o)
    local till, at = f.tailUntil or 0, f[3]
    for j = 1, q[o] do
      local k, m, _, y = j * 2 + 2, o + 2 + j * 3, extra(q, o, j)
      local lacking, its = q[m] - f[k], kind(o, j)
      if its == BUCKET then
        till = math.max(till, at + lacking / q[m + 1] + 1)
      elseif its == LONG then
        till = math.max(till, at + lacking * q[y] / q[y + 1] + 1)
      else
        local period, debts = its >= SLIDING and q[y + 1] * 16 or q[y], its == IN_FLIGHT and 0 or lacking / q[m]
        till = math.max(till, at + (debts + 2) * period)
      end
    end
    local exponent, span = q[o + 4], 2 ^ q[o + 4]
    while at + span < till and span < LONGEST do
      exponent, span = exponent + 1, span * 2
    end
    return exponent
  end

  local ADDED = { [LONG] = '>I7', [ALIGNED] = '>I7', [CALENDAR] = '>I7I7I7', [SLIDING] = '>I7c105', [IN_FLIGHT] = '>I7c105' }

  -- A bucket's balance in units, and what is left over in parts of a unit.
  local function units(balance, parts)
    local rest = balance % parts
    return (balance - rest) / parts, rest
  end

  -- What the terms name of a value that was written under others, or of none; what they do not name becomes the tail.
  local function arranged(value, o)
    local at, known, order, line = now, {}, {}, nil
    if value then
      local head = byte(value)
      local count = head and head % 32
      local version = head and (head - count) / 32
      if version ~= 1 then
        return nil, head and OTHER_VERSION or DAMAGED
      end
      local from, whole, unknown = 1, true, false
      local function read(format)
        if from + struct.size(format) - 1 > #value then
          whole = false
          return {}
        end
        local fields = { unpack(format, value, from) }
        from = table.remove(fields)
        return fields
      end
      local function add(named, balance, added)
        local its = named[1] and named[1] % 8
        local limit = { id = named[1], kind = its, parts = named[2], balance = balance[1], era = balance[2], added = added }
        unknown = unknown or (its and its > IN_FLIGHT)
        if its then
          order[#order + 1], known[named[1] - its + (its == LONG and BUCKET or its)] = limit, limit
        end
        return limit
      end
      from = 2
      local names = {}
      for i = 1, count do
        names[i] = read('>I3I4')
      end
      local life = read('>B')[1]
      at = read('>I7')[1]
      local limits = {}
      for i = 1, count do
        limits[i] = add(names[i], read('>i7I3'))
        limits[i].at = at
      end
      for i = 1, count do
        if whole and ADDED[limits[i].kind] then
          limits[i].added = read(ADDED[limits[i].kind])
        end
      end
      if whole and life >= 128 then
        line, from = readLine(value, from)
        whole = line ~= nil
      end
      while whole and from <= #value do
        local limit = add(read('>I3I4'), read('>i7I3'), nil)
        if whole and ADDED[limit.kind] then
          limit.added = read(ADDED[limit.kind])
        end
        local both = read('>I7I7')
        limit.at, limit.till = both[1], both[2]
      end
      for i = 1, #order do
        whole = whole and (order[i].kind ~= BUCKET or order[i].parts > 0)
      end
      if unknown then
        return nil, OTHER_VERSION
      elseif not whole then
        return nil, DAMAGED
      end
    end

    local f, from = { q[o + 3], 0, at }, {}
    for j = 1, q[o] do
      local k, m, x, y = j * 2 + 2, o + 2 + j * 3, extra(q, o, j)
      local id, parts = unpack('>I3I4', q[o + 3], j * 7 - 5)
      local its = id % 8
      local bucket = its == BUCKET or its == LONG
      local name = bucket and id - its or id
      local limit = known[name]
      if limit then
        local balance, added = limit.balance, limit.added or {}
        if bucket then
          local rest = nil
          if limit.kind == BUCKET then
            balance, rest = units(balance, limit.parts)
          end
          if its == BUCKET then
            -- What is left over of a long bucket is less than a unit, and no request for a bucket tells of what it is a part.
            balance = math.min(MAX, balance * parts + (rest and refill(rest, parts, limit.parts, 0) or 0))
            balance = math.max(DEEPEST, balance)
          elseif rest then
            added = { (refill(rest, q[y], limit.parts, 0)) }
          end
        end
        f[k], f[k + 1] = balance, limit.era
        for i = 1, #added do
          f[x + i - 1] = added[i]
        end
        from[j], limit.named = limit.at, true
      else
        f[k], f[k + 1], from[j] = bucket and q[m] or 0, now % ERAS, at
        if its == LONG then
          f[x] = 0
        elseif its >= SLIDING then
          f[x], f[x + 1] = 0, string.rep('\0', 105)
        elseif its ~= BUCKET then
          f[x] = q[m]
          if its == CALENDAR then
            f[x + 1], f[x + 2] = bounds(o, j, at)
            if not f[x + 1] then
              return nil, BOUNDS_NEEDED
            end
          end
        end
      end
    end
    local tail = {}
    for i = 1, #order do
      local limit = order[i]
      -- Its terms are not known here; but it means nothing a life after it was written.
      local till = limit.till or limit.at + 2 ^ (byte(value, byte(value) % 32 * 7 + 2) % 128)
      if not limit.named and till > now then
        tail[#tail + 1] = pack('>I3I4i7I3', limit.id, limit.parts, limit.balance, limit.era)
        for _, added in ipairs(limit.added or {}) do
          tail[#tail + 1] = type(added) == 'string' and added or pack('>I7', added)
        end
        tail[#tail + 1] = pack('>I7I7', limit.at, till)
        f.tailUntil = math.max(f.tailUntil or 0, till)
      end
    end
    f.tail, f.from, f.line = table.concat(tail), from, line
    return f
  end

  return { arranged = arranged, advance = advance, filled = filled, reset = reset, life = life }
end

local states, changed, unread, ttls, flags = { false }, { false }, { false }, nil, nil
local wait, rare, lines, lineKeys, coolDowns = nil, nil, nil, nil, nil
if withLines then
  lineKeys = {}
  for i = 1, q[subjects + 11] do
    lineKeys[q[subjects + 11 + i]] = KEYS[subjects + 1 + i]
  end
end
if withCoolDowns then
  local at = subjects + 9 + (withLines and 3 + q[subjects + 11] or 0)
  coolDowns = { none = {} }
  for _ = 1, q[at] do
    coolDowns[q[at + 1] * 32 + q[at + 2]], at = q[at + 3], at + 3
  end
  for each = at + 2, at + 1 + q[at + 1] do
    coolDowns.none[q[each]] = true
  end
end

------------------------------------------------------------------------------------------------------------ the subjects
-- A value as it stands in Redis, in fields: head, life, at, balance and era of each limit, and what the kinds add; while it is
-- worked on, a window has its balance where the value has what is used. Limit j has the fields j * 2 + 2 and j * 2 + 3; its terms
-- begin at the field o + 2 + j * 3 of the request, where o is where those of its budget begin.

local out = { '', '\0', '', '' }
for i = 1, subjects do
  out[i + 2] = ''
  local o, value = q[i + 7], values[i + 1]
  local f, bad = nil, nil
  local bytes = value and #value - q[o + 2]
  if bytes == 0 then
    f = { unpack(q[o + 1], value) }
    if f[1] ~= q[o + 3] or f[2] >= HAS_LINE then
      f = nil
    end
  elseif value and bytes > 20 + q[o] * 7 then
    f = { unpack(q[o + 1] .. 'I7I4I7H' .. string.rep('I7', q[o]), value) }
    local at = #f - q[o] - 4
    if f[1] == q[o + 3] and f[2] >= HAS_LINE and f[at + 3] + 20 + q[o] * 7 == bytes then
      f[2], unread[i] = f[2] - HAS_LINE, at
    else
      f = nil
    end
  end
  if not f then
    if not value and redis.call('EXISTS', KEYS[i + 1]) == 1 then
      bad = WRONG_TYPE
    else
      rare = rare or rareFunctions(q, now)
      f, bad = rare.arranged(value, o)
    end
  end
  local at = unread[i]
  if f and (at or f.line or (lineKeys and lineKeys[i])) then
    -- A newcomer that would not go even if nobody stood in line need not know who does.
    if settles > 0 or mode ~= RUN or not at or now < f[3] - STANDS_STILL then
      wait = wait or waitFunctions(q)
      lines = lines or lineFunctions(q, now, states, values, unread, lineKeys or {}, wait, coolDowns)
      states[i] = f
      f = lines.open(i)
    end
  end
  if f then
    local last, life, from, setBack = f[3], 2 ^ q[o + 4], f.from, false
    local at, micros = now, now - last
    if f[2] ~= q[o + 4] or now >= last - last % life + life then
      f[2] = RENEWED
    end
    if micros < 0 then
      if last > MAX then
        bad = DAMAGED
      elseif micros >= -STANDS_STILL then
        at = last
      else
        -- Written even where nothing is charged: else it would stand still for as long as calls are only denied.
        setBack, changed[i], f[2] = true, true, RENEWED
        if f.line and not bad then
          lines.setBack(f.line, last, mode ~= LOOK)
        end
      end
      micros = 0
    end
    local k, m, x, y = 4, o + 5, 4 + q[o] * 2, o + 5 + q[o] * 3
    for j = 1, q[o] do
      local capacity, rate, balance = q[m], q[m + 1], f[k]
      if from then
        micros = at > from[j] and at - from[j] or 0
      end
      if rate > 0 then
        if setBack then
          f[k + 1] = (f[k + 1] + 1) % ERAS
        end
        if balance ~= capacity then
          if balance < DEEPEST or balance > MAX then
            bad = DAMAGED
          end
          balance = balance + micros * rate
          if balance >= capacity then
            balance, f[k + 1] = capacity, (f[k + 1] + 1) % ERAS
          end
          f[k] = balance
        end
      else
        local since, period, start = from and from[j] or last, q[y], nil
        if rate == ALIGNED then
          start = since - (since - q[y + 1]) % period
        end
        if rate <= SLIDING and at >= since and since - since % q[y + 1] == at - at % q[y + 1] and balance >= 0 and balance <= MAX then
          f[k] = capacity - balance
        elseif start and at >= start and at < start + period and balance >= 0 and balance <= MAX and f[x] <= MAX then
          f[k] = capacity - balance
          if f[x] < capacity then
            f[x] = capacity
          end
        else
          rare = rare or rareFunctions(q, now)
          bad = rare.advance(f, o, j, since, at, setBack) or bad
        end
        if rate == CALENDAR then
          x, y = x + 3, y + 6
        else
          x, y = rate <= SLIDING and x + 2 or x + 1, y + 2
        end
      end
      k, m = k + 2, m + 3
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

local calls, n = q, q[subjects + 8]
local granted, told = 0, 2 + subjects
if mode == LOOK then
  reserves = 0
end

-- What a cancel undoes is settled as unused; what the batch settled stays.
if lastReply then
  local from = 24
  local bad = string.byte(lastReply, 23) == 1 and from
  from = bad and from + subjects or from
  local eras = {}
  for i = 1, subjects do
    if not bad or string.byte(lastReply, bad + i - 1) == 0 then
      local o = q[i + 7]
      eras[i] = { unpack(q[o + 1], lastReply, from) }
      from = from + q[o + 2]
    end
  end
  for _ = 1, settles do
    n, from = n + 1 + q[q[q[n] % RESET + 7]] * 2, from + 1
  end
  local unused, joins = {}, {}
  settles = 0
  for _ = 1, reserves do
    local result, parts, pieces = string.byte(lastReply, from), q[n], 1
    if parts > 128 then
      local kind = q[n + 1]
      if (result == 5 and kind < LOOKS) or result == 11 then
        joins[#joins + 1] = { kind = 3, number = q[n + 2], place = unpack('>I7', lastReply, from + 1), parts = parts - 128, n = n + 5 }
      elseif result == 10 then
        pieces, from = unpack('>I7', lastReply, from + 1)
        result = string.byte(lastReply, from)
      end
      parts, n = parts - 128, n + 4
    end
    from = from + (result == 2 and 30 or result == 4 and 2 or result == 5 and 45 or result == 9 and 6
      or (result == 12 or result == 13) and 8 or result == 11 and 16 or 1)
    n = n + 1
    for _ = 1, parts do
      local i = q[n] % 32768
      local charged = result == 1
      if result == 3 then
        charged = string.byte(lastReply, from) == 1
        from = from + (charged and 1 or 29)
      end
      local count = q[q[i + 7]]
      if charged then
        settles = settles + 1
        unused[#unused + 1] = i
        for j = 1, count do
          unused[#unused + 1], unused[#unused + 2] = eras[i][j * 2 + 3], -q[n + j] * pieces
        end
      end
      n = n + 1 + count
    end
  end
  calls, n, reserves = unused, 1, 0
  -- Where no line can be used, nothing is to be left.
  for i = 1, lines and #joins or 0 do
    lines.act(joins[i], joins[i].parts, joins[i].n, states)
  end
end

for _ = 1, settles do
  local i, kind = calls[n], nil
  if i >= RESET then
    kind, i = i - i % RESET, i % RESET
  end
  local f, o = states[i], q[i + 7]
  local last = n + q[o] * 2
  local result = f and '\1' or '\0'
  for more = n + 2, last, 2 do
    if calls[more] > MAX or calls[more] < -MAX then
      result = '\4'
    end
  end
  if kind == RESET and result == '\1' then
    rare = rare or rareFunctions(q, now)
    rare.reset(f, o)
    changed[i] = true
    if f.line then
      f.line.hold = 0
    end
  elseif kind == CORRECTION and result == '\1' then
    local k, m = 4, o + 5
    for most = n + 2, last, 2 do
      if q[m + 1] > ALIGNED and calls[most] >= 0 and f[k] > calls[most] * q[m + 2] then
        f[k], changed[i], result = calls[most] * q[m + 2], true, '\6'
      end
      k, m = k + 2, m + 3
    end
  elseif result == '\1' then
    local k, m = 4, o + 5
    for more = n + 2, last, 2 do
      local over, balance, capacity = calls[more], f[k], q[m]
      local era = kind ~= IN_ANY_ERA and calls[more - 1] or nil
      if over ~= 0 and q[m + 1] <= SLIDING then
        slots = slots or slotFunctions(q)
        if over > 0 then
          slots.charge(f, o, (k - 2) / 2, over)
        elseif slots.refund(f, o, (k - 2) / 2, era, -over) then
          changed[i] = true
        end
      end
      if over > 0 then
        local left, least = balance - over * q[m + 2], q[m + 1] > 0 and DEEPEST or capacity - MAX
        f[k], changed[i] = left < least and least or left, true
      elseif over < 0 and (not era or era == f[k + 1]) and balance < capacity and q[m + 1] > SLIDING then
        local left = balance - over * q[m + 2]
        changed[i] = true
        if left < capacity then
          f[k] = left
        else
          f[k] = capacity
          if q[m + 1] > 0 then
            f[k + 1] = (f[k + 1] + 1) % ERAS
          else
            rare = rare or rareFunctions(q, now)
            rare.filled(f, o, (k - 2) / 2)
          end
        end
      end
      k, m = k + 2, m + 3
    end
  end
  n, told = last + 1, told + 1
  out[told] = result
end

for reserve = 1, reserves do
  local parts, head, op = calls[n], n, nil
  local result, dryRuns = '\1', nil
  local short, shortResult = -1, nil
  n = n + 1
  if parts > 128 then
    op = { kind = calls[n] % LOOKS, number = calls[n + 1], place = calls[n + 2], wait = calls[n + 3], lines = {}, calls = {}, covered = {} }
    op.looks = calls[n] >= LOOKS
    parts, head, n = parts - 128, n + 3, n + 4
    wait = wait or waitFunctions(q)
    lines = lines or lineFunctions(q, now, states, values, unread, lineKeys or {}, wait, coolDowns)
    local at = n
    for _ = 1, parts do
      lines.open(calls[at] % 32768)
      at = at + 1 + q[q[calls[at] % 32768 + 7]]
    end
    if lines.acts(op) then
      result, n = lines.act(op, parts, n, states)
      parts = 0
    end
    lines.upTo(op, parts, n, states)
  end
  for part = 1, parts do
    local i = calls[n]
    local dry = i >= 32768
    if dry then
      i, dryRuns = i - 32768, dryRuns or {}
    end
    local f, o = states[i], q[i + 7]
    local last = n + q[o]
    local longest, limit, ahead, alone = -1, nil, 0, false
    local unopened = unread[i]
    local inLine = f and (f.line or unopened)
    if inLine then
      wait = wait or waitFunctions(q)
      for at = n + 1, last do
        if calls[at] > MAX then
          result = pack('>BB', 4, part)
        end
      end
      if unopened then
        longest, limit, ahead, alone = newcomerLacks(q, now, f, o, n, unopened, wait, coolDowns)
      end
      if not alone then
        lines = lines or lineFunctions(q, now, states, values, unread, lineKeys or {}, wait, coolDowns)
        f = lines.open(i)
        if f then
          longest, limit, ahead = lines.lacks(f, o, n, op, dry)
        end
      end
    end
    if f then
      local k, m = 4, o + 5
      for at = inLine and last + 1 or n + 1, last do
        local amount = calls[at]
        if f[k] < amount * q[m + 2] then
          local capacity = q[m] / q[m + 2]
          if amount > MAX then
            result = pack('>BB', 4, part)
          elseif amount > 0 and f[k] < q[m] then
            wait = wait or waitFunctions(q)
            -- A call in flight may end at any moment.
            local longer = q[m + 1] == IN_FLIGHT and 0 or wait(f, o, at - n, amount < capacity and amount or capacity)
            if longer > longest then
              longest, limit = longer, at - n
            end
          end
        end
        k, m = k + 2, m + 3
      end
      if limit and coolDowns and (op or not coolDowns.none[reserve]) and result == '\1' then
        lines = lines or lineFunctions(q, now, states, values, unread, lineKeys or {}, wait, coolDowns)
        if lines.coolDown(i, o, n, op, coolDowns.none[reserve]) then
          f = states[i]
          if f then
            longest, limit, ahead = lines.lacks(f, o, n, op, dry)
          else
            result, limit = '\0', nil
          end
        end
      end
      local told = limit and (dry or longest > short)
      if told then
        local available, parts = f[limit * 2 + 2], q[o + 4 + limit * 3]
        local size, held = 0, 0
        if f.line then
          size, held = f.line.size, f.line.hold - now
        elseif unopened then
          size, held = f[unopened + 1], f[unopened] - now
        end
        told = pack('>Bi8i8I4I7', limit, (available - available % parts) / parts - ahead, longest, size, held > 0 and held or 0)
      end
      if dry then
        dryRuns[part] = told and '\0' .. told or '\1'
      elseif told then
        short, shortResult = longest, pack('>BB', 2, part) .. told
      end
    elseif result == '\1' then
      result = '\0'
    end
    n = last + 1
  end
  if result == '\1' and shortResult then
    result = op and lines.short(op, short, shortResult, head + 1, parts, states) or shortResult
  elseif result == '\1' and op and op.looks then
    result = lines.covered(op, head + 1, parts, states)
  elseif result == '\1' then
    if op then
      lines.leave(op, head + 1, parts, states)
      if op.pieces then
        told = told + 1
        out[told] = pack('>BI7', 10, op.pieces)
      end
    end
    granted, n = granted + 1, head + 1
    if dryRuns then
      result = '\3'
    end
    for part = 1, parts do
      local i, charged = calls[n] % 32768, '\1'
      local f, o = states[i], q[i + 7]
      local last = n + q[o]
      if dryRuns then
        charged = dryRuns[part] or '\1'
        result = result .. charged
      end
      if charged == '\1' then
        local k, m = 4, o + 5
        for at = n + 1, last do
          local left = f[k] - calls[at] * q[m + 2]
          if q[m + 1] <= SLIDING and calls[at] > 0 then
            slots = slots or slotFunctions(q)
            slots.charge(f, o, at - n, calls[at])
          end
          if left < 0 then
            local least = q[m + 1] > 0 and DEEPEST or q[m] - MAX
            left = left < least and least or left
          end
          f[k], k, m = left, k + 2, m + 3
        end
        changed[i] = true
      end
      n = last + 1
    end
  end
  told = told + 1
  out[told] = result
end

--------------------------------------------------------------------------------------------------- the reply, the writes

if mode == LOOK then
  n = n + 1
  for i = 1, subjects do
    local f, o = states[i], q[i + 7]
    for j = 1, f and q[o] or 0 do
      local m, untilFull, untilIn = o + 2 + j * 3, 0, 0
      local capacity, amount = q[m] / q[m + 2], calls[n + j]
      amount = amount < capacity and amount or capacity
      if f[j * 2 + 2] < q[m] then
        wait = wait or waitFunctions(q)
        untilFull = wait(f, o, j, capacity)
      end
      if f.line then
        untilIn = lines.newcomerWait(f, o, j, amount)
      elseif f[j * 2 + 2] < amount * q[m + 2] and q[m + 1] ~= IN_FLIGHT then
        untilIn = wait(f, o, j, amount)
      end
      local span = coolDowns and coolDowns[o * 32 + j] or 0
      if span > untilIn and f[j * 2 + 2] < amount * q[m + 2] and not (f.line and f.line.hold > now) then
        untilIn = span
      end
      told = told + 1
      out[told] = pack('>i8i8', untilFull, untilIn)
    end
    n = n + 1 + q[o]
    if f then
      told = told + 1
      out[told] = pack('>I4', f.line and f.line.size or 0)
    end
  end
end

if lines and mode ~= LOOK then
  for i = 1, subjects do
    local f = states[i]
    if f and f.line and (changed[i] or f.line.touched or f.line.rebuilt) then
      lines.touch(f, q[i + 7])
      changed[i] = true
    end
  end
end
if lines then
  for i, usable in pairs(lines.isOpen) do
    if usable ~= true then
      flags = flags or {}
      flags[i] = flags[i] or usable
    end
  end
end
if flags then
  out[2] = '\1'
  for i = 1, subjects do
    out[2] = out[2] .. string.char(flags[i] or 0)
  end
end
for i = 1, subjects do
  local f, o = states[i], q[i + 7]
  if f then
    local inDebt, used = false, nil
    local k, m = 4, o + 5
    for _ = 1, q[o] do
      if f[k] < 0 then
        inDebt = true
      end
      if q[m + 1] < -1 then
        used = used or {}
        used[k] = q[m] - f[k]
      end
      k, m = k + 2, m + 3
    end
    if f.line then
      lines.close(f)
    end
    if changed[i] and (inDebt or f[2] == RENEWED) then
      local exponent = q[o + 4]
      if inDebt or f.tailUntil then
        rare = rare or rareFunctions(q, now)
        exponent = rare.life(f, o)
      end
      ttls = ttls or {}
      -- From the time it is of, which may be ahead: by that the next write knows its span. Redis counts whole milliseconds.
      f[2], ttls[i] = exponent, (2 ^ (exponent + 1) - f[3] % 2 ^ exponent + f[3] - now) / 1000 + 1
    end
    if used then
      for at, amount in pairs(used) do
        f[at] = amount
      end
    end
    if f.line or unread[i] then
      f[2] = f[2] + HAS_LINE
    end
    out[i + 2] = pack(q[o + 1], list(f))
  end
end

if withLines then
  told = told + 1
  out[told] = lines and pack('>H', #lines.wakes) .. table.concat(lines.wakes) or '\0\0'
end

local laneRenewed = laneExpires * STEP - now < laneTtl * 750
if laneRenewed then
  laneExpires = math.ceil((now + laneTtl * 1000) / STEP)
end
local reply
if mode ~= CANCEL then
  out[1] = pack(HEAD, VERSION, number, laneExpires, DONE, now)
  reply = table.concat(out)
elseif lastReply then
  reply = pack(HEAD, VERSION, number, laneExpires, CANCELLED_AFTER, now) .. string.sub(lastReply, 23)
else
  reply = pack(HEAD, VERSION, number, laneExpires, CANCELLED_BEFORE, now)
end

if mode ~= LOOK then
  local call, done = granted > 0 and redis.call or redis.pcall, nil
  if laneRenewed then
    done = call('SET', KEYS[1], reply, 'PX', string.format('%.0f', laneTtl))
  else
    done = call('SET', KEYS[1], reply, 'KEEPTTL')
  end
  -- Redis 6.2 says before that where in the script it was.
  if done.err and not string.find(done.err, 'OOM command', 1, true) then
    return done
  elseif done.err then
    -- What removes may run on a full Redis, and lets the rest run.
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[1], reply, 'PX', string.format('%.0f', laneTtl))
  end
  for i = 1, subjects do
    local f = changed[i] and states[i]
    if f then
      local value = out[i + 2]
      if f.line or f.tail then
        value = value .. (f.line and lines.written(f.line, q[i + 7]) or '') .. (f.tail or '')
      end
      if ttls and ttls[i] then
        redis.call('SET', KEYS[i + 1], value, 'PX', string.format('%.0f', ttls[i]))
      else
        redis.call('SET', KEYS[i + 1], value, 'KEEPTTL')
      end
    end
  end
end
return reply
