
"use strict";
// Asks for one snapshot at a time, and compares it with the previous one. Counters of a store start at
// zero when it is opened, so rates are differences of two snapshots of the same opening. Only the page
// keeps the past, until it is closed.
// Text from the store is always set as text, and never becomes markup.
(() => {
  const POLL_MS = 5000;
  const SECOND_POLL_MS = 1000; // Rates need a second snapshot.
  const SLOWEST_POLL_MS = 30000;
  const PATIENCE_MS = 10000;
  const POINTS = 60;

  const CLAIMS = [
    ["granted", "granted"],
    ["completed", "stored response"],
    ["failed", "stored failure"],
    ["in_progress", "in progress"],
    ["in_doubt", "in doubt"],
    ["mismatch", "mismatch"],
    ["repeat", "repeated in a batch"],
    ["error", "error"],
    ["abandoned", "abandoned"],
  ];
  const SETTLEMENTS = [
    ["completed", "completed"],
    ["failed", "failed"],
    ["released", "released"],
    ["in_doubt", "in doubt"],
  ];
  const STATES = [
    ["in_progress", "in progress"],
    ["completed", "completed"],
    ["failed", "failed"],
    ["in_doubt", "in doubt"],
    ["released", "released"],
  ];

  let now = null;
  let before = null; // Null if the previous snapshot is of another opening.
  let secs = null; // Between the two snapshots, on the clock of the store.
  let shown_ms = 0;
  let closed_ms = 0;
  let restart_ms = 0;
  let failing_ms = 0;
  let failures = 0;
  let asking = false;
  let timer = 0;
  const series = new Map();
  let grown = [];

  // Numbers with units.

  const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const count = (number) => integer.format(number);
  const NONE = "-";

  function digits(number) {
    const size = Math.abs(number);
    if (size === 0) return "0";
    if (size >= 100) return integer.format(number);
    return size >= 1 ? number.toFixed(1) : number.toPrecision(2);
  }

  function perSecond(number) {
    return number === null ? NONE : digits(number) + "/s";
  }

  function bytes(number) {
    if (number === null) return NONE;
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = 0;
    let left = Math.abs(number);
    while (left >= 1024 && unit < units.length - 1) {
      left /= 1024;
      unit += 1;
    }
    const sign = number < 0 ? "-" : "";
    return sign + (unit === 0 ? integer.format(left) : digits(left)) + " " + units[unit];
  }

  function duration(seconds) {
    if (seconds === null) return NONE;
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "us"]];
    if (seconds === 0) return "0 s";
    const [size, name] = units.find(([size]) => seconds >= size) ?? units[units.length - 1];
    return digits(seconds / size) + " " + name;
  }

  function age(seconds) {
    return seconds < 60 ? `${Math.floor(seconds)} s` : duration(seconds);
  }

  function share(part) {
    return part === null ? NONE : digits(part * 100) + " %";
  }

  function clock(ms) {
    return new Date(ms).toTimeString().slice(0, 8);
  }

  // Writing into the page.

  const at = (id) => document.getElementById(id);

  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function say(id, text) {
    put(at(id), text);
  }

  const rowsOf = new WeakMap();

  // A row of a table by its name: its head, then its cells. A cell is a text, a curve, or a text with
  // a class.
  function row(id, name, head, cells) {
    const body = at(id);
    if (!rowsOf.has(body)) rowsOf.set(body, new Map());
    const rows = rowsOf.get(body);
    if (!rows.has(name)) {
      const made = body.insertRow();
      const th = document.createElement("th");
      th.scope = "row";
      made.append(th);
      for (let more = cells.length; more > 0; more -= 1) made.insertCell();
      rows.set(name, made);
    }
    const found = rows.get(name);
    put(found.cells[0], head);
    cells.forEach((cell, place) => {
      const element = found.cells[place + 1];
      if (typeof cell === "string") {
        put(element, cell);
      } else if (cell.curve) {
        draw(element, cell.curve, head);
      } else {
        put(element, cell.text);
        element.className = cell.mood;
      }
    });
  }

  function clear(id) {
    at(id).replaceChildren();
    rowsOf.delete(at(id));
  }

  // The numbers of the last minutes under this name, ending with this one.
  function past(name, number) {
    if (!series.has(name)) series.set(name, []);
    const points = series.get(name);
    points.push(number);
    if (points.length > POINTS) points.shift();
    return { curve: points };
  }

  const SVG = "http://www.w3.org/2000/svg";

  // A curve from zero to its greatest number, with a gap where no number is known.
  function draw(holder, points, name) {
    let svg = holder.firstElementChild;
    if (!svg) {
      svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", "0 0 100 20");
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("role", "img");
      svg.append(document.createElementNS(SVG, "path"));
      holder.append(svg);
    }
    const known = points.filter((point) => point !== null);
    const most = Math.max(...known, 0);
    const y = (point) => (most === 0 ? 19 : 19 - (point / most) * 18);
    const step = 100 / (POINTS - 1);
    const left = 100 - step * (points.length - 1);
    let pen = "M";
    let path = "";
    points.forEach((point, place) => {
      if (point === null) {
        pen = "M";
        return;
      }
      // A single point is a line of no length, which its caps make visible.
      path += `${pen}${(left + step * place).toFixed(1)} ${y(point).toFixed(1)}`;
      if (pen === "M") path += "h0.1";
      pen = "L";
    });
    svg.firstElementChild.setAttribute("d", path);
    svg.setAttribute("aria-label", `${name}, last minutes: from 0 to ${digits(most)}`);
  }

  // Comparing two snapshots.

  // The growth of a counter; null if it is unknown.
  function growth(pick) {
    if (before === null || pick(now) < pick(before)) return null;
    return pick(now) - pick(before);
  }

  function rate(pick) {
    const more = growth(pick);
    return more === null ? null : more / secs;
  }

  function sum(numbers) {
    return numbers.reduce((all, more) => all + more, 0);
  }

  // The growth of each bucket of a histogram.
  function seen(pick) {
    if (before === null) return null;
    const counts = pick(now).map((counted, bucket) => counted - pick(before)[bucket]);
    return counts.some((counted) => counted < 0) ? null : counts;
  }

  // Interpolates linearly within a bucket, as histogram_quantile of Prometheus does.
  function quantile(counts, part) {
    const all = counts === null ? 0 : sum(counts);
    if (all === 0) return null;
    const bounds = now.durations.bounds_secs;
    let below = 0;
    for (let bucket = 0; bucket < bounds.length; bucket += 1) {
      const inside = counts[bucket];
      if (inside > 0 && below + inside >= all * part) {
        const low = bucket === 0 ? 0 : bounds[bucket - 1];
        return low + ((bounds[bucket] - low) * (all * part - below)) / inside;
      }
      below += inside;
    }
    return Infinity;
  }

  function estimate(counts, part) {
    const seconds = quantile(counts, part);
    if (seconds !== Infinity) return duration(seconds);
    return "over " + duration(now.durations.bounds_secs.at(-1));
  }

  // The parts of the page.

  function showHealth() {
    const troubles = now.health.troubles.length > 0;
    let [text, mood] = ["Ready", "good"];
    if (!now.health.alive) [text, mood] = ["Not alive: open the store again", "bad"];
    else if (!now.health.ready) [text, mood] = ["Not ready: it grants no claims", "bad"];
    else if (troubles) [text, mood] = ["Ready, with troubles", "warn"];
    say("health", text);
    at("health").className = `badge ${mood}`;
    document.title = mood === "good" ? "hapax at a glance" : `! ${text} - hapax`;
    const kind = now.log_kind === null ? "in memory" : `log of ${now.log_kind}`;
    const restart = restart_ms === 0 ? "" : `; rates restarted at ${clock(restart_ms)}: the store was opened again, or another process answers`;
    say("about", `version ${now.version}, ${kind}, open for ${age(now.open_secs)}${restart}`);
  }

  function isNear(number, limit) {
    return limit !== null && number > limit * 0.8;
  }

  function some(number, thing) {
    return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
  }

  function keys(number) {
    return some(number, "key");
  }

  // Uses the bounds of the alerts in ops/prometheus/rules.yml.
  function attention() {
    const found = now.health.troubles.map((trouble) => ({ text: `${trouble.code}: ${trouble.detail}` }));
    const add = (asked, text, href) => asked && found.push({ text, href });
    const doubts = now.states.in_doubt;
    add(doubts > 0, `${keys(doubts)} in doubt: only a resolution ends a doubt`, "in-doubt");
    const overdue = now.running.overdue;
    add(overdue > 0, `${keys(overdue)} in progress for more than three lease times`, "in-progress");
    const floor = now.disk.floor_bytes;
    const isLow = floor !== null && now.disk.free_bytes !== null && now.disk.free_bytes < 4 * floor;
    add(isLow, `${bytes(now.disk.free_bytes)} of disk are free, less than four times the floor of ${bytes(floor)}`);
    add(isNear(now.states.in_progress, now.limits.running_keys), "keys in progress are near their limit");
    add(isNear(total(now.states), now.limits.live_keys), "live keys are near their limit");
    add(isNear(now.running.waiters, now.limits.waiters), "waiting callers are near their limit");
    for (const kind of Object.keys(now.errors)) {
      const more = growth((of) => of.errors[kind] ?? 0);
      add(more > 0, `${some(more, "claim")} ended in the error ${kind} in the last ${duration(secs)}`);
    }
    return found;
  }

  function total(numbers) {
    return sum(Object.values(numbers));
  }

  let items = "";

  function showAttention() {
    const found = attention();
    const list = at("attention");
    // Rebuilt only when it changes, because a link may have the focus.
    if (items === JSON.stringify(found)) return;
    items = JSON.stringify(found);
    list.className = found.length === 0 ? "calm" : "";
    list.replaceChildren(...(found.length === 0 ? [{ text: "Nothing." }] : found).map(({ text, href }) => {
      const item = document.createElement("li");
      item.append(text);
      if (href) {
        const link = document.createElement("a");
        link.href = href;
        link.append(href);
        item.append(" - see ", link);
      }
      return item;
    }));
  }

  function showTiles() {
    const claims = rate((of) => total(of.claims));
    say("claims-rate", perSecond(claims));
    say("claims-note", `${count(total(now.claims))} since open`);
    const oldest = now.running.oldest_secs;
    const running = now.states.in_progress;
    say("oldest", running === 0 ? NONE : age(oldest));
    at("oldest").className = now.running.overdue > 0 ? "warn" : "";
    say("running-note", `${keys(running)} in progress`);
    say("in-doubt", count(now.states.in_doubt));
    at("in-doubt").className = now.states.in_doubt > 0 ? "warn" : "";
    say("doubt-note", `of ${keys(total(now.states))}`);
    const taken = seen((of) => of.durations.claims);
    const p99 = quantile(taken, 0.99);
    say("claims-p99", estimate(taken, 0.99));
    say("syncs-note", `sync p99 ${estimate(seen((of) => of.durations.syncs), 0.99)}`);
    say("store-bytes", bytes(now.disk.store_bytes));
    say("free-note", now.disk.free_bytes === null ? "free space unknown" : `${bytes(now.disk.free_bytes)} free`);
    const tile = (id, name, number) => draw(at(id), past(id, number).curve, name);
    tile("claims-spark", "claims per second", claims);
    tile("oldest-spark", "age of the oldest in seconds", oldest);
    tile("doubt-spark", "keys in doubt", now.states.in_doubt);
    tile("p99-spark", "p99 in seconds", p99 === Infinity ? now.durations.bounds_secs.at(-1) : p99);
    tile("disk-spark", "bytes on disk", now.disk.store_bytes);
  }

  function showCounters(id, named, pick) {
    for (const [name, head] of named) {
      // A store without namespaces has no counters yet.
      const counted = (of) => pick(of)[name] ?? 0;
      const each = rate(counted);
      row(id, name, head, [perSecond(each), past(`${id} ${name}`, each), count(counted(now))]);
    }
  }

  function showStates() {
    for (const [name, head] of STATES) {
      const number = now.states[name];
      row("states", name, head, [count(number), past(`states ${name}`, number)]);
    }
  }

  function showRunning() {
    const of_limit = (number, limit) => (limit === null ? count(number) : `${count(number)} of ${count(limit)}`);
    const line = (name, text) => row("running", name, name, [text]);
    line("in progress", of_limit(now.states.in_progress, now.limits.running_keys));
    line("oldest in progress", now.states.in_progress === 0 ? NONE : age(now.running.oldest_secs));
    line("in progress for more than three lease times", count(now.running.overdue));
    line("lapsed, not claimed again", count(now.running.lapsed));
    line("waiting callers", of_limit(now.running.waiters, now.limits.waiters));
    line("all keys", of_limit(total(now.states), now.limits.live_keys));
    line("expired keys", perSecond(rate((of) => of.expired)));
  }

  function showTimes() {
    const line = (head, pick) => {
      const counts = seen(pick);
      const timed = counts === null ? NONE : count(sum(counts));
      row("times", head, head, [estimate(counts, 0.5), estimate(counts, 0.99), timed]);
    };
    line("claims", (of) => of.durations.claims);
    line("claims with a stored answer", (of) => of.durations.replays);
    line("complete, fail, release, doubt", (of) => of.durations.settlements);
    line("syncs", (of) => of.durations.syncs);
    line("waits for a key", (of) => of.durations.waits);
  }

  function showDisk() {
    const line = (name, text) => row("disk", name, name, [text]);
    const bytesPerSecond = (number) => (number === null ? NONE : `${bytes(number)}/s`);
    line("store", bytes(now.disk.store_bytes));
    line("free space", bytes(now.disk.free_bytes));
    line("floor of free space", now.disk.floor_bytes === null ? "none" : bytes(now.disk.floor_bytes));
    line("journal", `${bytes(now.disk.journal_bytes)} in ${some(now.disk.segments, "segment")}`);
    line("live in the journal (estimate)", `${bytes(now.disk.live_bytes)} in ${some(now.disk.live_records, "record")}`);
    line("appended", bytesPerSecond(rate((of) => of.disk.appended_bytes)));
    line("syncs", perSecond(rate((of) => of.disk.syncs)));
    line("not yet written", bytes(now.disk.unwritten_bytes));
    line("oldest change not yet synced", now.health.unsynced_secs === 0 ? NONE : duration(now.health.unsynced_secs));
  }

  function showIndicators() {
    const line = (head, text, good, isGood) => {
      let verdict = { text: NONE, mood: "faint" };
      if (isGood !== null) verdict = isGood ? { text: "good", mood: "good" } : { text: "check", mood: "warn" };
      row("indicators", head, head, [text, good, verdict]);
    };
    const below = (number, bound) => (number === null ? null : number < bound);
    const repeated = now.indicators.duplicate_share_max;
    const most = some(now.indicators.duplicate_effects_max, "run");
    line("1. Repeated effects, at most", `${share(repeated)} (${most})`, "under 0.1 %", below(repeated, 0.001));
    const lapsed = now.indicators.lapsed_share;
    line("2. Lapsed leases, of those granted", share(lapsed), "under 0.01 %", below(lapsed, 0.0001));
    const replay = now.indicators.replay_p95_secs;
    const last = now.durations.bounds_secs.at(-1);
    line("3. Stored answers, p95", replay > last ? `over ${duration(last)}` : duration(replay), "under 50 ms", below(replay, 0.05));
    const first = grown[0];
    const span = now.open_secs - first.secs;
    const slope = (to, from) => (span > 0 ? (to - from) / span : null);
    const disk = slope(now.disk.store_bytes, first.bytes);
    const more = slope(total(now.states), first.keys);
    line("4. Growth of disk and keys", disk === null ? NONE : `${bytes(disk)}/s, ${digits(more)} keys/s`, "near zero in the long run", null);
    const retries = now.indicators.retries_per_operation;
    line("5. Retries per operation", retries === null ? NONE : digits(retries), "under 1.5", below(retries, 1.5));
    say("indicators-note", `Since the store was opened, ${age(now.open_secs)} ago. Growth is that of the last ${age(span)}.`);
  }

  function showNamespaces() {
    const earlier = new Map((before?.namespaces ?? []).map((space) => [space.name, space]));
    for (const space of now.namespaces) {
      const old = earlier.get(space.name);
      const each = (pick) => {
        if (before === null) return NONE;
        const more = pick(space) - (old ? pick(old) : 0);
        return more < 0 ? NONE : perSecond(more / secs);
      };
      row("namespaces", `space ${space.name}`, space.name, [
        each((space) => total(space.claims)),
        each((space) => space.claims.granted),
        each((space) => space.claims.completed + space.claims.failed),
        each((space) => space.claims.error),
        count(space.claims.mismatch),
        count(space.reruns),
        count(space.lapses),
        count(space.dropped),
        count(space.superseded),
        count(space.doubts),
        count(space.resolved),
      ]);
    }
    const opened = `Shows ${count(now.namespaces.length)} of ${count(now.namespaces_total)} namespaces: those opened since the store was.`;
    say("namespaces-note", `${opened} Namespaces after the first 64 share the line "other". The columns up to errors are per second, the others since open.`);
  }

  function keepGrowth() {
    grown.push({ secs: now.open_secs, bytes: now.disk.store_bytes, keys: total(now.states) });
    grown = grown.slice(-POINTS);
  }

  // Never compares with another opening, and forgets its curves.
  function takes(snapshot) {
    const isSame = now !== null && now.run === snapshot.run && snapshot.open_secs > now.open_secs;
    if (now !== null && now.run !== snapshot.run) {
      restart_ms = Date.now();
      closed_ms = 0;
      series.clear();
      grown = [];
      clear("namespaces");
    }
    before = isSame ? now : null;
    secs = isSame ? snapshot.open_secs - now.open_secs : null;
    now = snapshot;
  }

  function show(snapshot) {
    takes(snapshot);
    keepGrowth();
    showHealth();
    showAttention();
    showTiles();
    showCounters("claims", CLAIMS, (of) => of.claims);
    showCounters("settlements", SETTLEMENTS, (of) => of.settlements);
    showStates();
    showRunning();
    showTimes();
    showDisk();
    showIndicators();
    showNamespaces();
    at("main").removeAttribute("aria-busy");
  }

  // Telling how old the numbers are.

  function notice(text) {
    at("notice").hidden = text === null;
    document.documentElement.classList.toggle("old", text !== null);
    if (text !== null) say("why", text);
  }

  function showAge() {
    if (shown_ms === 0) return;
    const ms = Date.now() - shown_ms;
    say("age", `as of ${clock(shown_ms)}, ${ms < 1000 ? "just now" : age(ms / 1000) + " ago"}`);
  }

  function fresh() {
    [failing_ms, shown_ms] = [0, Date.now()];
    const isOver = now.health.troubles.some((trouble) => trouble.code === "closed" || trouble.code === "forked");
    if (isOver && closed_ms === 0) closed_ms = shown_ms;
    notice(isOver ? `The store is closed in this process, at least since ${clock(closed_ms)}: these are its last numbers.` : null);
  }

  function stale(why) {
    failures += 1;
    if (failing_ms === 0) failing_ms = Date.now();
    const what = shown_ms === 0 ? "No numbers yet" : `These numbers are old, from ${clock(shown_ms)}`;
    notice(`${what}. Since ${clock(failing_ms)}: ${why}.`);
    say("health", now === null ? "unknown" : `unknown; last: ${last()}`);
    at("health").className = "badge warn";
    document.title = "? no fresh numbers - hapax";
  }

  function last() {
    if (!now.health.alive) return "not alive";
    return now.health.ready ? "ready" : "not ready";
  }

  // Asking the service.

  // A relative address inherits the password of the page, and a browser fetches no address with one.
  function address() {
    const whole = new URL("glance.json", location.href);
    whole.username = "";
    whole.password = "";
    return whole;
  }

  async function ask() {
    const answer = await fetch(address(), {
      cache: "no-store",
      credentials: "same-origin",
      headers: { accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const isLogin = answer.type === "opaqueredirect";
    if (isLogin || answer.status === 401 || answer.status === 403) {
      const said = isLogin ? "redirects" : `answers ${answer.status}`;
      throw new Error(`the service ${said}: sign in again and reload this page`);
    }
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    const body = isJson ? await answer.json() : null;
    if (!answer.ok) throw new Error(`the service answers ${answer.status}${body?.detail ? `: ${body.detail}` : ""}`);
    if (body === null) throw new Error("the service sent no snapshot");
    return body;
  }

  function whyNot(error) {
    if (error.name === "TimeoutError") return `no answer within ${PATIENCE_MS / 1000} s`;
    if (error.name === "TypeError") return "the service cannot be reached";
    if (error.name === "SyntaxError") return "the service sent no snapshot";
    return error.message;
  }

  async function poll() {
    clearTimeout(timer);
    // A hidden page asks for nothing, and asks at once when it is shown again.
    if (asking || document.hidden) return;
    asking = true;
    const isFirst = shown_ms === 0;
    let snapshot = null;
    try {
      snapshot = await ask();
    } catch (error) {
      stale(whyNot(error));
    }
    asking = false;
    if (snapshot !== null) failures = 0;
    const isSoon = isFirst && snapshot !== null;
    const next = isSoon ? SECOND_POLL_MS : Math.min(POLL_MS * 2 ** failures, SLOWEST_POLL_MS);
    if (!document.hidden) timer = setTimeout(poll, next);
    if (snapshot !== null) {
      show(snapshot);
      fresh();
    }
    showAge();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else poll();
  });
  at("again").addEventListener("click", poll);
  setInterval(showAge, 1000);
  poll();
})();
