// What the page tells the control plane: where the viewer is, and what happened.
//
// What lives here: positions and events of one session, sent so that they survive the closing of the page.
// Nothing waits for an answer, and a report that is lost is lost: the next one carries the newer truth.

const EVERY_MS = 4000;

/** Sends positions while `video` plays, at every pause and jump, and when the page goes away. `kept()`: one arrived. */
export class Report {
  constructor(session, video, kept) {
    this.session = session;
    this.kept = kept;
    this.video = video;
    this.sequence = 0;
    this.lost = 0;
    this.sent_s = null;
    this.off = new AbortController();
    const { signal } = this.off;
    this.timer = setInterval(() => !video.paused && this.position(), EVERY_MS);
    ['pause', 'seeked', 'ended'].forEach((event) => video.addEventListener(event, () => this.position(), { signal }));
    window.addEventListener('pagehide', () => this.close(), { signal });
    document.addEventListener('visibilitychange', () => document.hidden && this.position(), { signal });
  }

  close() {
    if (this.off.signal.aborted) return;
    clearInterval(this.timer);
    this.position();
    this.event('stop');
    this.off.abort();
  }

  position() {
    const position_ms = this.position_ms;
    if (!this.video.readyState || this.sent_s === position_ms) return;
    this.sent_s = position_ms;
    const { id, profile, title, device } = this.session;
    const path = `v1/positions/${profile}/${title}`;
    this.send('PUT', path, { profile, title, device, session: id, position_ms });
  }

  event(kind, { value = 0, pathway = null, detail = '' } = {}) {
    const { position_ms, session } = this;
    this.send('POST', 'v1/events', { session: session.id, kind, position_ms, value: Math.round(value), pathway, detail });
  }

  get position_ms() {
    return Math.max(0, Math.round(this.video.currentTime * 1000));
  }

  async send(method, path, message) {
    this.sequence += 1;
    const body = JSON.stringify({ ...message, sequence: this.sequence, at: Date.now() / 1000 });
    try {
      const answer = await fetch(path, { method, body, keepalive: true, headers: { 'Content-Type': 'application/json' } });
      if (!answer.ok) this.lost += 1;
      else if (method === 'PUT') this.kept();
    } catch {
      this.lost += 1; // control is away; the video does not depend on it
    }
  }
}
