// Puts the state on the page. Nothing is made up here: balances of token buckets go on refilling at the rate that they were told at.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
export const $ = id => document.getElementById(id);

export function dollars(nano) {
  const value = nano / 1e9;
  const size = Math.abs(value);
  const digits = size === 0 || size >= 0.1 ? 2 : size >= 0.001 ? 4 : 6;
  return (value < 0 ? '−$' : '$') + Math.abs(value).toFixed(digits);
}

export const number = value => (value < 0 ? '−' : '') + whole.format(Math.abs(value));
const amount = (unit, value) => unit === 'usd' ? dollars(value) : number(value);
const millis = micros => micros === 0 ? '–' : micros < 10_000 ? (micros / 1_000).toFixed(1) + ' ms' : number(micros / 1_000) + ' ms';
const seconds = value => (Math.max(0, value) / 1_000).toFixed(1) + ' s';
const many = (count, one, more) => `${number(count)} ${count === 1 ? one : more}`;
const tokens = amounts => amounts.input + amounts.output;

function text(element, value) {
  if (element.textContent !== value) {
    element.textContent = value;
  }
}

function make(tag, className = '', ...children) {
  const element = document.createElement(tag);
  if (className) {
    element.className = className;
  }
  element.append(...children);
  return element;
}

/** Keeps one element for each item, in their order. */
function list(box, items, key, create, update, first = 0) {
  const known = box.known ??= new Map();
  const wanted = new Set(items.map(key));
  known.forEach((element, name) => {
    if (!wanted.has(name)) {
      element.remove();
      known.delete(name);
    }
  });
  items.forEach((item, index) => {
    const name = key(item);
    let element = known.get(name);
    if (!element) {
      element = create(item);
      known.set(name, element);
    }
    if (box.children[index + first] !== element) {
      box.insertBefore(element, box.children[index + first] ?? null);
    }
    update(element, item, index);
  });
}

// ------------------------------------------------------------------------------------------------------------- gauges

const gauges = new Set();

function gauge(name) {
  const fill = make('i');
  const meter = make('div', 'meter', fill);
  meter.setAttribute('role', 'meter');
  meter.setAttribute('aria-label', name);
  meter.setAttribute('aria-valuemin', '0');
  const value = make('span', 'number');
  const of = make('span', 'of');
  return { fill, meter, value, of, root: meter };
}

function set(gauge, limit, at) {
  Object.assign(gauge, { limit, at });
  gauges.add(gauge);
  gauge.meter.setAttribute('aria-valuemax', limit.capacity);
  text(gauge.of, 'of ' + amount(limit.unit, limit.capacity));
}

function level({ limit, at }, now) {
  if (!limit.refills || limit.fullInMillis <= 0) {
    return limit.balance;
  }
  const part = Math.min(1, (now - at) / limit.fullInMillis);
  return limit.balance + (limit.capacity - limit.balance) * part;
}

let isFresh = true;

/** Once a frame. */
export function refill(now) {
  gauges.forEach(each => {
    if (!each.root.isConnected) {
      gauges.delete(each);
      return;
    }
    const value = isFresh ? level(each, now) : each.limit.balance;
    const unit = each.limit.unit;
    const shown = unit === 'usd' ? value : Math.floor(value + 1e-6);
    each.fill.style.setProperty('--level', Math.max(0, Math.min(1, value / each.limit.capacity)).toFixed(4));
    text(each.value, amount(unit, shown));
    const told = Math.max(0, Math.floor(value));
    if (each.told !== told) {
      each.told = told;
      each.meter.setAttribute('aria-valuenow', Math.min(told, each.limit.capacity));
      each.meter.setAttribute('aria-valuetext', `${amount(unit, shown)} of ${amount(unit, each.limit.capacity)}`);
    }
    each.root.parentElement?.classList.toggle('debt', value < 0);
  });
  document.querySelectorAll('[data-since]').forEach(element =>
      text(element, seconds(Date.now() - Number(element.dataset.since))));
}

// ------------------------------------------------------------------------------------------------------------- panels

export function show(state, now) {
  isFresh = state.redisAnswers;
  figures(state);
  stations(state);
  members(state);
  balances(state, now);
  runs(state, now);
  line(state);
  provider(state);
  settled(state);
  redis(state);
}

function figures({ ledger, provider, live }) {
  text($('f-spent'), dollars(ledger.nanoUsd));
  const open = live.inFlight.reduce((sum, call) => sum + call.reserved.nanoUsd, 0);
  text($('f-spent-note'), open > 0 ? `of which ${dollars(open)} is reserved` : 'by the ledger in Redis');
  text($('f-billed'), dollars(provider.bill.nanoUsd));
  const difference = ledger.nanoUsd - provider.bill.nanoUsd;
  text($('f-billed-note'),
      difference === 0 ? 'the same, to the nano-dollar'
          : live.inFlight.length > 0 ? `${live.inFlight.length} under way`
          : difference > 0 ? `${dollars(difference)} less: estimates that stay`
          : `${dollars(-difference)} more: went uncounted`);
  const back = live.reserved.nanoUsd - live.charged.nanoUsd;
  text($('f-back'), dollars(back));
  text($('f-back-note'), `of ${dollars(live.reserved.nanoUsd)} estimated`);
  text($('f-rate'), live.decisionsPerSecond.toFixed(1));
  const { granted, waited, denied } = live.counts;
  text($('f-rate-note'), `${number(granted)} granted, ${number(denied)} denied`);
  text($('f-decision'), millis(live.decision.p50));
  text($('f-decision-note'), `95 % within ${millis(live.decision.p95)}`);
  text($('f-call'), millis(live.call.p50));
  text($('f-call-note'), `95 % within ${millis(live.call.p95)}`);
}

function stations({ members, live }) {
  text($('s-call'), many(members.length, 'process', 'processes'));
  text($('s-reserve'), `${number(live.counts.granted)} granted`);
  text($('s-line'), many(live.line.length, 'waits', 'wait'));
  text($('s-provider'), `${number(live.inFlight.length)} in flight`);
  text($('s-settle'), `${number(live.counts.settled)} settled`);
}

function members({ members, settings }) {
  list($('members'), members, each => each.name,
      each => {
        const kill = make('button', 'quiet', 'Kill');
        kill.type = 'button';
        kill.dataset.kill = each.name;
        kill.setAttribute('aria-label', `Kill ${each.name}`);
        return make('li', '', make('b', '', each.name), make('span', 'pid', `pid ${each.pid}`), kill);
      }, () => {});
  text($('lease'), String(settings.leaseMillis / 1_000));
}

const titles = ['Requests', 'Tokens', 'At once'];

function balances({ balances, money, settings }, now) {
  list($('balances'), balances, each => each.model + '/' + each.team,
      each => {
        const row = make('div', 'row', make('div', 'who', make('b', '', each.model), make('span', '', `key of ${each.team}`)));
        row.setAttribute('role', 'row');
        row.firstChild.setAttribute('role', 'rowheader');
        row.gauges = each.limits.map((limit, index) => {
          const it = gauge(`${limit.limit}, ${each.model}, key of ${each.team}`);
          it.badge = make('span', 'badge');
          const cell = make('div', 'cell', make('span', 'label', titles[index]),
              make('div', 'value', make('span', '', it.value, ' ', it.of), it.badge), it.meter);
          cell.setAttribute('role', 'cell');
          cell.dataset.limit = limit.limit;
          cell.dataset.model = each.model;
          cell.dataset.team = each.team;
          row.append(cell);
          return it;
        });
        return row;
      },
      (row, each) => each.limits.forEach((limit, index) => {
        const it = row.gauges[index];
        set(it, limit, now);
        it.badge.hidden = limit.waiting === 0 || index > 0;
        text(it.badge, `${limit.waiting} wait`);
      }),
      1);
  text($('h-requests'), 'Requests per 40 s');
  if (money.length > 0) {
    const box = $('money');
    if (!box.gauge) {
      box.gauge = gauge('Dollars per minute, all calls');
      const value = make('span', 'value', box.gauge.value);
      box.append(make('div', 'label', make('span', '', 'Dollars per minute, all calls of the fleet'), make('span', '', value, ' ', box.gauge.of)),
          box.gauge.meter);
    }
    set(box.gauge, money[0], now);
  }
}

function runs({ live, runBudgets }, now) {
  $('runs-box').hidden = live.runs.length === 0;
  list($('runs'), [...live.runs].reverse(), each => each.run,
      each => {
        const item = make('li', '', make('b', '', each.run));
        item.gauge = gauge(`Dollars left of ${each.run}`);
        item.said = make('span', 'said');
        item.append(item.gauge.meter, make('span', '', item.gauge.value, ' ', item.gauge.of), item.said);
        return item;
      },
      (item, each) => {
        const limit = runBudgets[each.run]?.[0];
        if (limit) {
          set(item.gauge, limit, now);
        }
        text(item.said, `${each.isOver ? each.said : 'spends'}: ${many(each.calls, 'call', 'calls')}, ${dollars(each.charged.nanoUsd)} charged`);
      });
}

function line({ live }) {
  const lines = new Map();
  for (const call of live.line) {
    const name = `${call.model}, key of ${call.team}`;
    lines.set(name, [...lines.get(name) ?? [], call]);
  }
  list($('waiting'), [...lines], ([name]) => name,
      ([name]) => {
        const calls = make('ol');
        const box = make('div', '', make('h4', '', name), calls);
        box.calls = calls;
        return box;
      },
      (box, [, calls]) => list(box.calls, calls, call => call.call,
          call => {
            const since = make('span', 'since-text');
            since.dataset.since = call.sinceMillis;
            const item = make('li', '', make('span', 'place'), make('span', '', call.worker, call.run ? ` (${call.run})` : ''), since);
            return item;
          },
          (item, call, index) => {
            text(item.firstChild, String(index + 1));
            item.classList.toggle('dead', call.isDead);
            if (call.isDead && !item.tag) {
              item.tag = make('span', 'tag', ' is gone');
              item.children[1].append(item.tag);
            }
          }));
  $('waiting-empty').hidden = live.line.length > 0;
  list($('denied'), live.denied.slice(0, 3), each => each.call + each.atMillis,
      each => make('li', '',
          make('span', '', each.model, make('span', 'worker', ` ${each.worker}`)),
          make('span', 'right worker', each.numbers.waitedMillis > 0 ? `after ${seconds(each.numbers.waitedMillis)}` : 'at once'),
          make('span', 'sub', each.detail.replace(/, says .*/, ''))),
      () => {});
  $('denied-empty').hidden = live.denied.length > 0;
}

const by = { LEASED: 'by lease', UNCOUNTED: 'uncounted' };

function provider({ live, provider }) {
  list($('flight'), live.inFlight.slice(0, 7), each => each.call,
      each => {
        const since = make('span', 'right');
        since.dataset.since = each.sinceMillis;
        const sub = by[each.by] ?? `${number(tokens(each.reserved))} tokens, ${dollars(each.reserved.nanoUsd)} reserved`;
        return make('li', '', make('span', '', each.model, make('span', 'worker', ` ${each.worker}`)), since, make('span', 'sub', sub));
      },
      (item, each) => {
        item.classList.toggle('dead', each.isDead);
        if (each.isDead && !item.tag) {
          item.tag = make('span', 'tag', ' process is gone, stays charged');
          item.firstChild.append(item.tag);
        }
      });
  $('flight-empty').hidden = live.inFlight.length > 0;
  const more = live.inFlight.length - 7;
  text($('flight-note'), more > 0 ? `and ${more} more` : 'reserved, not settled');
  text($('manner-note'), `Refused ${number(provider.refused)} with a 429, whose Retry-After holds the whole fleet; failed ${number(provider.failed)} with a 500, which keeps its estimate.`);
}

const outcomes = {
  SETTLED: 'settled',
  REPORTED: 'usage reported',
  COUNTED: 'counted as it passed',
  INPUT_KEPT: 'input kept',
  ESTIMATE_KEPT: 'estimate kept',
  REFUNDED: 'refunded',
  RELEASED: 'never sent, nothing charged',
};

function settled({ live }) {
  list($('settled'), live.settled.slice(0, 12), each => each.call + each.atMillis,
      each => {
        const { reserved, charged, outcome } = each.numbers;
        const bar = make('i');
        const part = tokens(reserved) === 0 ? 0 : tokens(charged) / tokens(reserved);
        bar.style.setProperty('--level', Math.min(1, part).toFixed(4));
        const bars = make('span', 'bars' + (part > 1 ? ' over' : ''), bar);
        return make('li', '',
            make('span', '', each.model, make('span', 'worker', ` ${each.worker}`)),
            make('span', 'right', dollars(charged.nanoUsd), make('span', 'worker', ` of ${dollars(reserved.nanoUsd)}`)),
            bars,
            make('span', 'sub', `${number(tokens(charged))} of ${number(tokens(reserved))} tokens, ${outcomes[outcome] ?? outcome}`));
      },
      () => {});
  $('settled-empty').hidden = live.settled.length > 0;
}

const policies = {
  CLOSED: 'Fail closed: no call leaves that nobody counted. Calls get a 503, as if from the provider.',
  LEASED: 'Spend leased: each process may spend the quarter that it leased while Redis answered, which melts as the limit refills; then it fails closed.',
  OPEN: 'Fail open: calls go, nobody counts them, and the bill grows above the ledger.',
};

function redis(state) {
  const { redis, redisAnswers, settings, live } = state;
  text($('redis-note'), redis.isStopped ? 'Stopped as a crash would; what you see was last known. It comes back with what it held.'
      : !redisAnswers ? 'It does not answer; what you see was last known.'
      : redis.isOwn ? `Stop it, and watch what becomes of calls.` : 'It was named with --redis, and is not ours to stop.');
  $('redis-runs').disabled = !redis.isOwn;
  text($('policy-note'), policies[settings.whenRedisFails]);
  text($('o-closed'), number(live.inOutage.notSent));
  text($('o-leased'), number(live.inOutage.leased));
  text($('o-open'), number(live.inOutage.uncounted));
  text($('keys-note'), `${many(redis.keys.length, 'key', 'keys')}, all under ${redis.prefix}`);
  list($('keys'), redis.keys, each => each.name,
      () => {
        const row = make('tr');
        row.cells_ = [make('td', '', make('code')), make('td'), make('td', '', make('span'), make('code', 'raw')), make('td', 'num'), make('td', 'num')];
        row.append(...row.cells_);
        return row;
      },
      (row, each) => {
        const [name, what, says, gone, bytes] = row.cells_;
        text(name.firstChild, each.name);
        text(what, meaning(each));
        text(says.firstChild, said(each, state));
        text(says.lastChild, each.kind === 'LINE' ? '' : each.value);
        text(gone, each.ttlMillis < 0 ? '–' : life(each.ttlMillis));
        text(bytes, each.bytes > 0 ? number(each.bytes) : '–');
      });
  text($('foot'), `Redis at ${redis.url}.`);
}

const whose = ({ budget, model, team, run }) => model ? `budget ‘${budget}’ of ${model}, key of ${team}` : run ? `budget ‘${budget}’ of ${run}` : `budget ‘${budget}’ of all calls`;

function meaning({ kind, balances }) {
  switch (kind) {
    case 'BALANCES':
      return 'Balances: ' + whose(balances);
    case 'LINE':
      return 'Line: ' + (balances.budget ? whose(balances) : 'calls that wait');
    case 'LANE':
      return 'Lane of a process: its last batch and answer, so that what is sent twice counts once';
    default:
      return 'Something else';
  }
}

function said({ kind, balances: { budget, model, team, run }, value }, { balances, money, runBudgets, ledger }) {
  if (kind === 'LINE') {
    return value;
  }
  if (kind !== 'BALANCES') {
    return '';
  }
  const limits = budget === 'rate' ? balances.find(each => each.model === model && each.team === team)?.limits
      : budget === 'money' ? money : budget === 'run' ? runBudgets[run] : undefined;
  if (budget === 'bill') {
    return `used this month: ${many(ledger.requests, 'request', 'requests')}, ${number(ledger.input)} input and ${number(ledger.output)} output tokens, ${dollars(ledger.nanoUsd)}`;
  }
  return (limits ?? []).map(each => `${amount(each.unit, each.balance)} of ${amount(each.unit, each.capacity)} ${each.unit === 'usd' ? each.limit.replace('usd ', '') : each.limit}`).join('; ');
}

function life(value) {
  const all = Math.round(value / 1_000);
  const days = Math.floor(all / 86_400);
  const hours = Math.floor(all / 3_600);
  const minutes = Math.floor(all / 60);
  return days > 1 ? `${days} d` : hours > 1 ? `${hours} h` : minutes > 1 ? `${minutes} min` : `${all} s`;
}
