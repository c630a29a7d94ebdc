// Who delivered what: an account of segments, kept from the browser's own record of requests, so it is the
// same for every player.
//
// What lives here: which pathway a URL is on, bytes by pathway, the pathway of every segment, moves from one to
// another. Never: the page, or a player.

const OBJECT = /\/s\/([^/]+)\/([^/]+)\/([^/?]+)/;
const FAILED_LATELY_MS = 15000;

/** The account of one session. `changed()` is called after every entry. */
export class Delivery {
  constructor(session, title, changed) {
    this.pathways = session.pathways.map((pathway) => ({ ...pathway, bytes: 0, failing: false, failed_at: -Infinity }));
    this.duration_s = session.duration_ms / 1000;
    this.video = new Map(title.renditions.filter((each) => each.kind === 'video').map((each) => [each.id, each]));
    this.title = title.id;
    this.served_by = null;
    this.segments = []; // of video, by number: {pathway, rendition}
    this.moves = [];
    this.changed = changed;
    this.since = performance.now();
    this.ends_s = []; // of segments, once their index is here
    this.observer = new PerformanceObserver((list) => list.getEntries().forEach((entry) => this.saw(entry)));
    this.observer.observe({ type: 'resource' });
  }

  close() {
    this.observer.disconnect();
  }

  /** The pathway that `url` is on, or null. */
  pathway(url) {
    return this.pathways.find((each) => url.startsWith(`${each.url.replace(/\/$/, '')}/s/`)) ?? null;
  }

  /** A player's request failed. */
  failed(url) {
    const pathway = this.pathway(url);
    if (!pathway) return;
    Object.assign(pathway, { failing: true, failed_at: performance.now() });
    this.changed();
  }

  saw({ name, startTime, transferSize, encodedBodySize, responseStatus }) {
    const [, title, rendition, object] = OBJECT.exec(name) ?? [];
    const pathway = title === this.title && startTime >= this.since ? this.pathway(name) : null;
    if (!pathway || !(responseStatus === 200 || responseStatus === 206)) return;
    pathway.bytes += transferSize || encodedBodySize;
    const number = /^(\d+)\.m4s$/.exec(object)?.[1];
    if (number) {
      pathway.failing = false;
      if (this.video.has(rendition) || !this.video.size) this.took(Number(number) - 1, rendition, pathway);
    }
    this.changed();
  }

  took(index, rendition, pathway) {
    this.segments[index] = { pathway: pathway.pathway, rendition };
    if (this.served_by && this.served_by !== pathway.pathway) this.moved(this.served_by, pathway.pathway);
    this.served_by = pathway.pathway;
  }

  moved(from, to) {
    const left = this.pathways.find((each) => each.pathway === from);
    const failed = performance.now() - left.failed_at < FAILED_LATELY_MS;
    this.moves.push({ from, to, why: failed ? 'failed' : 'steered' });
  }

  /** Take the times of segments from a rendition's index; all renditions are cut at the same times. */
  timed({ objects, timescale }) {
    let end = 0;
    this.ends_s = objects.filter(({ kind }) => kind === 'media').map(({ duration }) => (end += duration) / timescale);
    this.changed();
  }

  /** The segment under `time_s`: {pathway, rendition}, or undefined before it was loaded. */
  at(time_s) {
    return this.segments[this.ends_s.findIndex((end) => time_s < end)];
  }

  get bytes_by() {
    return Object.fromEntries(this.pathways.map((each) => [each.pathway, each.bytes]));
  }
}
