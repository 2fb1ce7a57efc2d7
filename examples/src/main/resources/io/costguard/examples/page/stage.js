// Calls on their way, as dots from station to station. Only shows what was told; nothing depends on it.

const MOVE = 520;
const MOST = 60;
const CALL = 0, RESERVE = 1, LINE = 2, PROVIDER = 3, SETTLE = 4;

export function stage(box, stations) {
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const dots = new Map();
  let seen = -1;

  const x = station => {
    const at = stations[station].getBoundingClientRect();
    return at.left + at.width / 2 - box.getBoundingClientRect().left;
  };

  function place(dot, from, to, { drop = 0, fade = false, duration = MOVE } = {}) {
    dot.at = to;
    return dot.element.animate(
        [
          { transform: `translate(${x(from)}px, 0)`, opacity: 1 },
          { transform: `translate(${x(to)}px, ${drop}px)`, opacity: fade ? 0 : 1 },
        ],
        { duration, easing: 'cubic-bezier(.4, 0, .2, 1)', fill: 'forwards' }).finished;
  }

  function appear(call, kind = '') {
    const element = document.createElement('i');
    element.className = kind;
    box.append(element);
    const dot = { element, at: CALL, moving: Promise.resolve(), bornAt: performance.now() };
    dots.set(call, dot);
    return dot;
  }

  const then = (dot, move) => {
    dot.moving = dot.moving.then(move).catch(() => {});
  };

  function vanish(call, dot) {
    dots.delete(call);
    dot.element.remove();
  }

  function show(event) {
    let dot = dots.get(event.call);
    switch (event.what) {
      case 'WAITING':
        dot ??= appear(event.call);
        then(dot, () => place(dot, CALL, RESERVE));
        then(dot, () => place(dot, RESERVE, LINE));
        break;
      case 'GRANTED':
      case 'LEASED':
      case 'UNCOUNTED':
        if (!dot) {
          dot = appear(event.call, event.what === 'GRANTED' ? '' : 'uncounted');
          then(dot, () => place(dot, CALL, RESERVE));
        }
        then(dot, () => place(dot, dot.at, PROVIDER, { duration: dot.at === LINE ? MOVE : 2 * MOVE }));
        break;
      case 'SETTLED':
      case 'ENDED':
        if (dot && !dot.ends) {
          dot.ends = true;
          then(dot, () => place(dot, dot.at, dot.at === PROVIDER ? SETTLE : dot.at, { fade: true }));
          then(dot, () => vanish(event.call, dot));
        }
        break;
      case 'DENIED':
        if (!dot) {
          dot = appear(event.call);
          then(dot, () => place(dot, CALL, RESERVE));
        }
        dot.ends = true;
        then(dot, () => {
          dot.element.className = 'denied';
          return place(dot, dot.at, dot.at, { drop: 46, fade: true, duration: 900 });
        });
        then(dot, () => vanish(event.call, dot));
        break;
    }
  }

  return function update(news) {
    const first = seen < 0;
    const fresh = news.filter(each => each.number > seen).reverse();
    seen = Math.max(seen, ...news.map(each => each.number), 0);
    if (first || still.matches || document.hidden) {
      return;
    }
    for (const { event } of fresh) {
      if (event.call && (dots.has(event.call) || dots.size < MOST)) {
        show(event);
      }
    }
    const old = performance.now() - 60_000;
    dots.forEach((dot, call) => {
      if (dot.bornAt < old) {
        vanish(call, dot);
      }
    });
  };
}
