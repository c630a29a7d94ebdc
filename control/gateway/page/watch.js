// What the viewer experiences, measured on the video element: start, stalls, buffer.
//
// What lives here: measurements that need no knowledge of the player. Never: the page, or who serves.

const AT_END_S = 0.5;
const STARVED_S = 0.5;
const STOPS_KEPT = 20;

/** Measures one playback from now on. `tell` has started(ms), stalled({ms, buffer_s}) when a stall ends, and changed(). */
export class Watch {
  constructor(video, tell) {
    this.video = video;
    this.tell = tell;
    this.began = performance.now();
    this.ttff_ms = null;
    this.stalls = 0;
    this.hitches = 0;
    this.stops = []; // the latest stalls and hitches: {position_s, buffer_s, ms}
    this.stop = null; // the one under way
    this.off = new AbortController();
    video.requestVideoFrameCallback((now) => this.firstFrame(now));
    this.on('waiting', () => this.waits());
    this.on('seeking', () => { this.stop = null; });
    ['playing', 'timeupdate'].forEach((event) => this.on(event, () => this.runs()));
    ['progress', 'timeupdate', 'pause', 'play', 'resize', 'ended', 'volumechange', 'seeked', 'durationchange']
      .forEach((event) => this.on(event, () => tell.changed()));
  }

  on(event, act) {
    this.video.addEventListener(event, act, { signal: this.off.signal });
  }

  close() {
    this.off.abort();
  }

  firstFrame(now) {
    if (this.off.signal.aborted) return;
    this.ttff_ms = Math.max(now, performance.now()) - this.began;
    this.from_s = this.video.currentTime;
    this.tell.started(this.ttff_ms);
  }

  // A stall: the picture stops for want of data after it has started, and not because the viewer jumped. When it
  // stops with data at hand, that is a hitch: the machine was too busy to decode, and no delivery could help.
  waits() {
    const { seeking, ended, paused, currentTime, duration } = this.video;
    if (this.ttff_ms === null || seeking || ended || paused || duration - currentTime < AT_END_S) return;
    if (this.stop !== null) return;
    this.stop = { since: performance.now(), position_s: currentTime, buffer_s: this.buffer_s };
    this.stops = [...this.stops, this.stop].slice(-STOPS_KEPT);
    if (this.stop.buffer_s < STARVED_S) this.stalls += 1;
    else this.hitches += 1;
    this.tell.changed();
  }

  runs() {
    if (this.stop === null || this.video.currentTime === this.stop.position_s) return;
    const { stop } = this;
    this.stop = null;
    stop.ms = performance.now() - stop.since;
    if (stop.buffer_s < STARVED_S) this.tell.stalled(stop);
  }

  /** Seconds of video ahead of what is shown. */
  get buffer_s() {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= currentTime + 0.1 && currentTime < buffered.end(index)) {
        return buffered.end(index) - currentTime;
      }
    }
    return 0;
  }
}
