// What the page shows of a state. Reads, never decides: every function here turns data into elements.

const ROW_PX = 58;
const WIRE_PX = 56;
const HUES = 6;

const element = (id) => document.getElementById(id);
const svg = (name, attributes, text = '') => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = text;
  return made;
};
const html = (name, className = '', text = '') => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
};

/** Change text only when it differs: the page is drawn several times a second. */
export function words(id, text) {
  const found = typeof id === 'string' ? element(id) : id;
  if (found.textContent !== text) found.textContent = text;
}

/** Seconds as people write them: 1:02:03, 4:05. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

function amount(bytes) {
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** The colour of a pathway: by its place in the session's list, the origin always grey. */
export function hue(pathways, id) {
  const index = pathways.findIndex((each) => each.pathway === id);
  return pathways[index]?.kind === 'origin' ? 'var(--pathway-origin)' : `var(--pathway-${Math.max(index, 0) % HUES})`;
}

/** Degrees of the colour of a title's artwork: the same for ever. */
export function artOf(id) {
  let sum = 7;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 3600;
  return String(190 + (sum % 140));
}

export function titles(list, current, choose) {
  element('titles').replaceChildren(...list.map((title) => poster(title, title.id === current, choose)));
  if (!list.length) {
    const words = 'No titles yet. Publish one with oca ingest; it appears here by itself.';
    element('titles').append(html('li', 'empty', words));
  }
}

function poster(title, current, choose) {
  const button = html('button', 'poster');
  button.type = 'button';
  button.style.setProperty('--hue', artOf(title.id));
  button.setAttribute('aria-current', String(current));
  const art = html('span', 'art');
  const seen = html('span', 'seen');
  seen.style.setProperty('--seen', title.seen ?? 0);
  button.append(art, html('b', '', title.name), html('span', '', facts(title)), seen);
  button.addEventListener('click', () => choose(title));
  const row = html('li');
  row.append(button);
  return row;
}

/** A title's length and best picture in a few words. */
export function facts(title) {
  const height = Math.max(0, ...title.renditions.map((each) => each.height));
  return [clock(title.duration_ms / 1000), height ? `${height}p` : 'audio'].join(' · ');
}

export function about(title, resume_ms) {
  words('name', title?.name ?? 'Open Connect');
  words('synopsis', title?.synopsis ?? '');
  words('credit', title?.attribution ?? '');
  words('cover-name', title?.name ?? 'Nothing to play yet');
  words('cover-kicker', title ? facts(title) : '');
  words('begin-words', resume_ms ? `Resume at ${clock(resume_ms / 1000)}` : 'Play');
  element('begin').disabled = !title;
  element('cover').style.setProperty('--hue', artOf(title?.id ?? ''));
}

/** One row for each pathway with its wire to the viewer. Rows are made once per session, `pathways` fills them. */
export function map(list, device) {
  element('story').hidden = true;
  element('map').hidden = false;
  const height = list.length * ROW_PX;
  const middle = height / 2;
  element('pathways').replaceChildren(...list.map((each) => pathwayRow(list, each)));
  const wires = list.map((each, index) => {
    const to = index * ROW_PX + ROW_PX / 2;
    const path = svg('path', { d: `M${WIRE_PX} ${to}C${WIRE_PX - 26} ${to} ${WIRE_PX - 14} ${middle} 21 ${middle}` });
    path.style.setProperty('--hue', hue(list, each.pathway));
    path.dataset.pathway = each.pathway;
    return path;
  });
  element('wires').setAttribute('viewBox', `0 0 ${WIRE_PX} ${height}`);
  element('wires').replaceChildren(
    ...wires,
    svg('circle', { cx: 13, cy: middle, r: 8 }),
    svg('circle', { cx: 13, cy: middle, r: 2.5 }),
    svg('text', { x: 14, y: middle + 24 }, device.length > 8 ? 'you' : device),
  );
}

function pathwayRow(list, { pathway, url, kind }) {
  const row = html('li', 'pathway');
  row.dataset.pathway = pathway;
  row.style.setProperty('--hue', hue(list, pathway));
  const name = html('b', '', pathway);
  const place = html('span', 'place', kind === 'origin' ? 'last resort' : new URL(url).hostname);
  name.append(place);
  const bar = html('span', 'bar');
  bar.append(html('span'));
  row.append(html('i'), name, html('span', 'bytes'), bar);
  return row;
}

/** Fill the rows: bytes, who serves, who has failed, whom steering has withdrawn. */
export function pathways(list, served_by, priority) {
  const most = Math.max(1, ...list.map((each) => each.bytes));
  for (const row of element('pathways').children) {
    const each = list.find(({ pathway }) => pathway === row.dataset.pathway);
    const out = Boolean(priority) && !priority.includes(each.pathway);
    const failed = each.failing;
    row.classList.toggle('lit', each.pathway === served_by);
    row.classList.toggle('out', out || failed);
    row.classList.toggle('failed', failed || out);
    words(row.querySelector('.bytes'), each.bytes ? amount(each.bytes) : '');
    row.querySelector('.bar span').style.width = `${(100 * each.bytes) / most}%`;
    let place = each.kind === 'origin' ? 'last resort' : new URL(each.url).hostname;
    if (each.pathway !== served_by && (failed || out)) place = failed ? 'no answer' : 'withdrawn';
    words(row.querySelector('.place'), place);
    const wire = element('wires').querySelector(`path[data-pathway="${each.pathway}"]`);
    wire.classList.toggle('lit', each.pathway === served_by);
    wire.classList.toggle('failed', each.pathway !== served_by && (failed || out));
  }
}

/** Big name of who serves, and why. */
export function server(list, served_by) {
  const each = list.find(({ pathway }) => pathway === served_by);
  words('server', served_by ?? '–');
  element('server').style.setProperty('--hue', served_by ? hue(list, served_by) : '');
  if (each) words('because', each.reasons.slice(0, 2).join(', '));
}

/** The figures: [name, value, unit, 'good' | 'bad' | '']. */
export function figures(rows) {
  const list = element('figures');
  while (list.children.length < rows.length) {
    const row = html('div');
    row.append(html('dt'), html('dd'));
    row.lastChild.append(document.createTextNode(''), html('small'));
    list.append(row);
  }
  rows.forEach(([name, value, unit, mood], index) => {
    const row = list.children[index];
    row.className = mood;
    words(row.firstChild, name);
    const [number, small] = row.lastChild.childNodes;
    if (number.data !== value) number.data = value;
    words(small, unit ? ` ${unit}` : '');
  });
}

/** The seek bar: one cell for each segment in the colour of the appliance that sent it. */
export function strip({ segments, ends_s, pathways: list, duration_s }, now_s, ahead_s) {
  const canvas = element('strip');
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  const style = getComputedStyle(document.documentElement);
  context.clearRect(0, 0, width, height);
  const x = (seconds) => (width * seconds) / duration_s;
  segments.forEach(({ pathway }, index) => {
    const [from, to] = [index ? ends_s[index - 1] : 0, ends_s[index]];
    if (to === undefined) return;
    context.fillStyle = style.getPropertyValue(hue(list, pathway).slice(4, -1));
    // Bright: seen. Paler: waiting in the buffer. Faint: sent once, no longer in the buffer.
    const past = Math.min(Math.max(now_s, from), to);
    const fill = (start, end, alpha) => {
      context.globalAlpha = alpha;
      context.fillRect(x(start), 0, Math.max(x(end) - x(start) - (end === to ? scale : 0), 0), height);
    };
    fill(from, past, 1);
    fill(past, to, past < now_s + ahead_s + 0.1 ? 0.7 : 0.25);
  });
  element('played').style.width = `${Math.min(100, (100 * now_s) / duration_s)}%`;
}

let toastTimer;

/** A short notice over the picture. */
export function toast(text, strong = '', colour = '') {
  const shown = element('toast');
  shown.replaceChildren(text, html('b', '', strong));
  shown.style.setProperty('--hue-to', colour);
  shown.classList.add('shown');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => shown.classList.remove('shown'), 4500);
}

export function problem(text) {
  element('problem').hidden = !text;
  words('problem-words', text ?? '');
}

/** How to stop the appliance that serves; only for one on this machine. */
export function hint(pathway) {
  const here = pathway && pathway.kind === 'appliance' && /^(127\.|localhost$)/.test(new URL(pathway.url).hostname);
  element('hint').hidden = !here;
  if (here) words('command', `pkill -KILL -f /${pathway.pathway}/config.yaml`);
}
