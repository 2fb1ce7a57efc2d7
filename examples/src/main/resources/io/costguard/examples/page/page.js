// Listens to the demo, and asks it for what is pressed.

import { $, dollars, number, refill, show } from './view.js';
import { stage } from './stage.js';

const moveDots = stage($('dots'), [...document.querySelectorAll('.stage .step')]);
let state;

async function ask(action, more = {}) {
  try {
    const answer = await fetch('do', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action, ...more }) });
    tell(answer.ok ? '' : await answer.text());
    return answer.ok;
  } catch {
    tell('The demo does not answer.');
    return false;
  }
}

function tell(text) {
  if ($('notice').textContent !== text) {
    $('notice').textContent = text;
  }
}

let setting = 0;
let lastSet = -Infinity;

async function set(name, value) {
  setting++;
  try {
    return await ask(name, value);
  } finally {
    setting--;
    lastSet = performance.now();
  }
}

const chosen = name => document.querySelector(`input[name="${name}"]:checked`)?.value;

// ----------------------------------------------------------------------------------------------------------- controls

function radios(box, name, values, label) {
  values.forEach((value, index) => {
    const input = Object.assign(document.createElement('input'), { type: 'radio', name, value, checked: index === 0 });
    const span = document.createElement('span');
    span.textContent = label(value);
    const option = document.createElement('label');
    option.append(input, span);
    box.append(option);
  });
}

document.querySelectorAll('[data-do]').forEach(button => button.addEventListener('click', () => {
  const action = button.dataset.do;
  ask(action, action === 'agent' ? { team: chosen('team') } : { model: chosen('model'), team: chosen('team') });
}));
$('add').addEventListener('click', () => ask('add'));
$('members').addEventListener('click', ({ target }) => {
  if (target.dataset.kill) {
    target.disabled = true;
    ask('kill', { name: target.dataset.kill });
  }
});
document.querySelectorAll('input[name="wait"]').forEach(input => input.addEventListener('change', () => set('wait', { on: input.value === 'true' })));
document.querySelectorAll('input[name="policy"]').forEach(input => input.addEventListener('change', () => set('whenRedisFails', { policy: input.value })));

for (const [id, action] of [['traffic', 'traffic'], ['redis-runs', 'redis']]) {
  $(id).addEventListener('click', async () => {
    const on = $(id).getAttribute('aria-checked') !== 'true';
    $(id).setAttribute('aria-checked', on);
    await set(action, { on });
  });
}

const shown = {
  requests: number,
  tokens: number,
  inFlight: number,
  centsPerMinute: cents => dollars(cents * 1e7),
  centsPerRun: cents => dollars(cents * 1e7),
  latencyMillis: value => `${number(value)} ms`,
  failurePercent: value => `${value} %`,
  callsPerTenSeconds: value => value === 0 ? 'none' : `${value} calls`,
};

function sliders(box, send) {
  const inputs = [...box.querySelectorAll('input')];
  let busy = false;
  let again = false;
  async function apply() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      await send(Object.fromEntries(inputs.map(input => [input.name, Number(input.value)])));
    } while (again);
    busy = false;
  }
  const say = input => {
    const text = shown[input.name](Number(input.value));
    input.previousElementSibling.textContent = text;
    input.setAttribute('aria-valuetext', text);
  };
  inputs.forEach(input => input.addEventListener('input', () => {
    say(input);
    apply();
  }));
  return values => inputs.forEach(input => {
    input.value = values[input.name];
    say(input);
  });
}

const setBudgets = sliders($('budgets'), budgets => set('budgets', { budgets }));
const setManner = sliders($('manner'), manner => set('provider', { manner }));

/** What is set elsewhere is shown too, but not under the hand that sets it. */
function settings({ settings, redis }) {
  if (setting > 0 || performance.now() - lastSet < 1_000) {
    return;
  }
  setBudgets(settings.budgets);
  setManner(settings.provider);
  $('traffic').setAttribute('aria-checked', settings.traffic);
  $('redis-runs').setAttribute('aria-checked', !redis.isStopped);
  check('wait', String(settings.waits));
  check('policy', settings.whenRedisFails);
}

function check(name, value) {
  const input = document.querySelector(`input[name="${name}"][value="${value}"]`);
  if (input && !input.checked) {
    input.checked = true;
  }
}

// --------------------------------------------------------------------------------------------------------------- live

function link(name, text) {
  $('link').dataset.state = name;
  if ($('link-text').textContent !== text) {
    $('link-text').textContent = text;
  }
}

const source = new EventSource('live');
source.addEventListener('message', ({ data }) => {
  const first = !state;
  state = JSON.parse(data);
  if (first) {
    radios($('models'), 'model', state.models, model => model);
    radios($('teams'), 'team', Object.keys(state.fingerprints).sort(), team => team);
  }
  settings(state);
  show(state, performance.now());
  link('live', 'Live');
  moveDots(state.live.news);
});
source.addEventListener('error', () => link('gone', 'The demo has ended, or is out of reach'));

function frame(now) {
  refill(now);
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);
