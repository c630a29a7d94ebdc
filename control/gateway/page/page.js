// The demo's page: choose a title and a player, play, and see who serves.
//
// What lives here: the order of things, and the state. Measuring, accounting, reporting and drawing are in
// watch.js, delivery.js, report.js and view.js; the players in players.js.
//
// For tests: ?player=hls|dash|shaka &format=hls|dash &title=ID &profile= &device= &session-client=ADDRESS &autoplay=1,
// and window.oca.state.

import { wireControls } from './controls.js';
import { Delivery } from './delivery.js';
import { load, PLAYERS } from './players.js';
import { Report } from './report.js';
import * as view from './view.js';
import { Watch } from './watch.js';

const TITLES_EVERY_MS = 5000;
const DRAW_MS = 250;
const PAGE_LIMIT = 100;

const element = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);
const video = element('video');
const stage = element('stage');

const choice = {
  titles: [],
  title: null,
  player: parameters.get('player') in PLAYERS ? parameters.get('player') : 'hls',
  format: parameters.get('format'),
};
let session = null; // {is, player, delivery, watch, report, steering} of what plays
let starts = 0; // a start that was overtaken by another must not go on

const state = {
  phase: 'idle', // idle, starting, playing, ended, error
  error: null,
  resumed_ms: 0,
  get player() { return choice.player; },
  get format() { return choice.format; },
  get title() { return choice.title?.id ?? null; },
  get session() { return session?.is.id ?? null; },
  get ttff_ms() { return session?.watch.ttff_ms ?? null; },
  get stalls() { return session?.watch.stalls ?? 0; },
  get hitches() { return session?.watch.hitches ?? 0; },
  get stops() { return session?.watch.stops ?? []; },
  get buffer_s() { return session?.watch.buffer_s ?? 0; },
  get served_by() { return session?.delivery.served_by ?? null; },
  get bytes_by() { return session?.delivery.bytes_by ?? {}; },
  get moves() { return session?.delivery.moves ?? []; },
  get failovers() { return session?.delivery.moves.length ?? 0; },
  get segments() { return session?.delivery.segments.map(({ pathway }) => pathway) ?? []; },
  get steering() { return session?.steering ?? null; },
  get current_time() { return video.currentTime; },
  get height() { return video.videoHeight; },
};
window.oca = { state };

async function main() {
  view.figures(figures());
  restoreNames();
  wireChoices();
  const [toggle, mute, full, seek] = ['toggle', 'mute', 'full', 'seek'].map(element);
  wireControls(stage, video, { toggle, mute, full, seek });
  element('begin').addEventListener('click', start);
  element('again').addEventListener('click', start);
  element('copy').addEventListener('click', () => navigator.clipboard?.writeText(element('command').textContent));
  setInterval(draw, DRAW_MS);
  load(choice.player).catch(() => {}); // so that it is here when play is pressed; start() says what is wrong
  await refreshTitles();
  setInterval(() => refreshTitles().catch(() => {}), TITLES_EVERY_MS); // control may be away; what is listed stays
  if (parameters.get('autoplay') === '1' && choice.title) await start();
}

// titles, profiles, players

async function api(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || problem.title || `${path} answered ${answer.status}`);
  }
  return answer.json();
}

async function refreshTitles() {
  const { titles } = await api(`v1/titles?limit=${PAGE_LIMIT}`);
  const watching = state.phase === 'starting' || state.phase === 'playing'; // then nothing on the page may jump
  await Promise.all(titles.map(async (title) => {
    const before = choice.titles.find(({ id }) => id === title.id);
    title.seen = watching && before ? before.seen : (await seen(title)) / title.duration_ms;
  }));
  const drawn = JSON.stringify(titles);
  if (drawn === choice.drawn) return;
  Object.assign(choice, { titles, drawn });
  const wanted = choice.title?.id ?? parameters.get('title');
  choose(titles.find(({ id }) => id === wanted) ?? titles[0] ?? null);
}

function choose(title) {
  const other = title?.id !== choice.title?.id;
  choice.title = title;
  view.titles(choice.titles, title?.id, (chosen) => { choose(chosen); start(); });
  if (other || state.phase === 'idle') view.about(title, title?.seen ? title.seen * title.duration_ms : 0);
  document.title = title ? `${title.name} · Open Connect` : 'Open Connect';
}

// Only titles that were watched from this browser are asked for: who has seen nothing gets no 404s.
async function seen({ id, duration_ms }) {
  const key = `${names().profile}/${id}`;
  if (!JSON.parse(localStorage.getItem('oca.seen') ?? '[]').includes(key)) return 0;
  const { position_ms } = await api(`v1/positions/${key}`).catch(() => ({ position_ms: 0 }));
  return position_ms < 0.95 * duration_ms ? position_ms : 0;
}

function remember(profile, title) {
  const known = new Set(JSON.parse(localStorage.getItem('oca.seen') ?? '[]'));
  known.add(`${profile}/${title}`);
  localStorage.setItem('oca.seen', JSON.stringify([...known].slice(-PAGE_LIMIT)));
}

function names() {
  const clean = (text) => text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, ''); // as names on the wire
  const name = (id, otherwise) => clean(element(id).value) || otherwise;
  return { profile: name('profile', 'guest'), device: name('device', 'browser') };
}

function restoreNames() {
  const kind = /Mobi/.test(navigator.userAgent) ? 'phone' : 'laptop';
  for (const [id, otherwise] of [['profile', 'guest'], ['device', kind]]) {
    element(id).value = parameters.get(id) ?? localStorage.getItem(`oca.${id}`) ?? otherwise;
    element(id).addEventListener('change', () => {
      localStorage.setItem(`oca.${id}`, element(id).value);
      refreshTitles().catch(() => {});
    });
  }
  element('who').addEventListener('submit', (event) => { event.preventDefault(); document.activeElement.blur(); });
}

function wireChoices() {
  const options = (id, rows, pick) => element(id).append(...rows.map(([value, text]) => {
    const label = document.createElement('label');
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: id, value });
    const span = Object.assign(document.createElement('span'), { textContent: text });
    input.addEventListener('change', () => pick(value));
    label.append(input, span);
    return label;
  }));
  options('players', Object.entries(PLAYERS).map(([id, { name }]) => [id, name]), (id) => pick(id, choice.format));
  options('formats', [['hls', 'HLS'], ['dash', 'DASH']], (id) => pick(choice.player, id));
  pick(choice.player, choice.format);
}

function pick(player, format) {
  const { formats } = PLAYERS[player];
  const changed = choice.player !== player || choice.format !== format;
  Object.assign(choice, { player, format: formats.includes(format) ? format : formats[0] });
  document.querySelectorAll('#players input').forEach((input) => { input.checked = input.value === player; });
  document.querySelectorAll('#formats input').forEach((input) => {
    input.checked = input.value === choice.format;
    input.disabled = !formats.includes(input.value);
  });
  if (changed && state.phase !== 'idle') start(); // goes on where it was, in the other player
}

// playing

async function start() {
  const mine = (starts += 1);
  const { title, player, format } = choice;
  await stop();
  phase('starting');
  view.about(title, 0);
  try {
    await load(player);
    const request = { title: title.id, ...names(), client: parameters.get('session-client') };
    const headers = { 'Content-Type': 'application/json' };
    const is = await api('v1/playback', { method: 'POST', body: JSON.stringify(request), headers });
    if (mine !== starts) return;
    open(is, title);
    const url = format === 'dash' ? is.dash_url : is.hls_url;
    const current = session;
    const opened = await PLAYERS[player].start({ video, url, at_s: is.resume_ms / 1000, tell: teller(current) });
    if (session !== current) { opened.close(); return; }
    current.player = opened;
    await play();
  } catch (error) {
    if (mine === starts) fail(error.message ?? String(error));
  }
}

async function play() {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError') return; // overtaken by a pause or another start
    video.muted = true;
    await video.play().catch(() => {});
    view.toast('Sound is off: the browser wants a click first');
  }
}

function open(is, title) {
  const delivery = new Delivery(is, title, () => moved());
  const current = { is, title, player: null, delivery, steering: null, drawnMoves: 0 };
  current.watch = new Watch(video, {
    started: (ms) => {
      phase('playing');
      current.report.event('start', { value: ms, pathway: delivery.served_by, detail: `${choice.player} ${choice.format}` });
      timeline(current);
    },
    stalled: ({ ms, buffer_s }) => {
      const detail = `${buffer_s.toFixed(1)} s in the buffer`;
      current.report.event('stall', { value: ms, pathway: delivery.served_by, detail });
    },
    changed: draw,
  });
  current.report = new Report(is, video, () => remember(is.profile, title.id));
  session = current;
  state.resumed_ms = is.resume_ms;
  view.map(delivery.pathways, is.device);
}

async function timeline({ delivery, title }) {
  const { id } = title.renditions.find(({ kind }) => kind === 'video') ?? title.renditions[0];
  delivery.timed(await api(`v1/titles/${title.id}/renditions/${id}`).catch(() => ({ objects: [], timescale: 1 })));
}

function teller(current) {
  const only = (act) => (...words) => session === current && act(...words);
  return {
    steering: only(({ priority, ttl_s }) => { current.steering = { priority, ttl_s, at: Date.now() }; draw(); }),
    failed: only((url) => current.delivery.failed(url)),
    fatal: only((words) => {
      current.report.event('error', { detail: words });
      fail(words);
    }),
  };
}

async function stop() {
  const last = session;
  session = null;
  state.error = null;
  view.problem(null);
  if (!last) return;
  video.pause();
  last.report.close();
  last.delivery.close();
  last.watch.close();
  await last.player?.close();
}

function fail(words) {
  state.error = words;
  phase('error');
  view.problem(words);
}

function phase(name) {
  state.phase = name;
  stage.dataset.phase = name;
  draw();
}

function moved() {
  const { delivery, report, drawnMoves } = session;
  for (const { from, to, why } of delivery.moves.slice(drawnMoves)) {
    report.event('failover', { pathway: to, detail: `from ${from}: ${why}` });
    const words = why === 'failed' ? `${from} stopped answering.` : 'Steering prefers another.';
    view.toast(`${words} Going on from `, to, view.hue(delivery.pathways, to));
  }
  session.drawnMoves = delivery.moves.length;
  draw();
}

// drawing

let drawing = false;

/** Ask for one drawing in the next frame, however often it is asked. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawStage();
    view.figures(figures());
    if (session) drawSession(session);
  });
}

function drawStage() {
  if (state.phase === 'playing' && video.ended) phase('ended');
  if (state.phase === 'ended' && !video.ended) phase('playing');
  stage.classList.toggle('paused', video.paused);
  stage.classList.toggle('muted', video.muted);
  stage.classList.toggle('stalled', Boolean(session?.watch.stop));
  element('toggle').ariaLabel = video.paused ? 'Play' : 'Pause';
  element('mute').ariaLabel = video.muted ? 'Unmute' : 'Mute';
}

function drawSession({ delivery, steering, watch }) {
  const { served_by } = delivery;
  view.server(delivery.pathways, served_by);
  view.pathways(delivery.pathways, served_by, steering?.priority);
  view.strip(delivery, video.currentTime, watch.buffer_s);
  view.hint(delivery.pathways.find(({ pathway }) => pathway === served_by));
  const seek = element('seek');
  if (document.activeElement !== seek) seek.value = video.currentTime;
  seek.max = delivery.duration_s;
  view.words('now', view.clock(video.currentTime));
  view.words('length', view.clock(delivery.duration_s));
  view.words('badge', `${PLAYERS[choice.player].name} · ${choice.format.toUpperCase()}`);
  const left = steering && Math.max(0, Math.round(steering.ttl_s - (Date.now() - steering.at) / 1000));
  view.words('steer', steering ? `steering asks again in ${left} s` : '');
}

function figures() {
  const { ttff_ms, stalls, failovers, buffer_s } = state;
  const shown = session?.delivery.at(video.currentTime);
  const rendition = shown && session.delivery.video.get(shown.rendition);
  const begun = ttff_ms !== null;
  return [
    ['Startup', begun ? (ttff_ms / 1000).toFixed(2) : '–', begun ? 's' : '', begun && ttff_ms < 2000 ? 'good' : ''],
    ['Stalls', begun ? String(stalls) : '–', '', begun ? (stalls ? 'bad' : 'good') : ''],
    ['Moved', begun ? String(failovers) : '–', failovers === 1 ? 'time' : begun ? 'times' : '', ''],
    ['Picture', video.videoHeight ? `${video.videoHeight}p` : '–', '', ''],
    ['Bitrate', rendition ? (rendition.average_bandwidth_bps / 1e6).toFixed(1) : '–', rendition ? 'Mbit/s' : '', ''],
    ['Buffer', begun ? buffer_s.toFixed(0) : '–', begun ? 's' : '', ''],
  ];
}

main().catch((error) => fail(error.message));
