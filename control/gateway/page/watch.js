// What the viewer experiences, measured on the video element: start, stalls, buffer.
//
// What lives here: measurements that need no knowledge of the player. Never: the page, or who serves.

const AT_END_S = 0.5;
const STARVED_S = 0.5;
const LONG_MS = 500;

/** Measures one playback from now on. `tell` has started(ms), stalled(ms) when a stall ends, and changed(). */
export class Watch {
  constructor(video, tell) {
    this.video = video;
    this.tell = tell;
    this.began = performance.now();
    this.ttff_ms = null;
    this.stalls = 0;
    this.stall_ms = 0;
    this.stopped_at = null;
    this.hitches = 0;
    this.off = new AbortController();
    video.requestVideoFrameCallback((now) => this.firstFrame(now));
    this.on('waiting', () => this.waits());
    this.on('seeking', () => { this.stopped_at = null; });
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

  // A stall: the picture stops for want of data after it has started, and not because the viewer jumped; or it
  // stops for long, for whatever reason. Shorter hitches with data at hand are a busy machine's decoder.
  waits() {
    const { seeking, ended, paused, currentTime, duration } = this.video;
    if (this.ttff_ms === null || seeking || ended || paused || duration - currentTime < AT_END_S) return;
    if (this.stopped_at !== null) return;
    this.stopped_at = performance.now();
    this.stopped_s = currentTime;
    if (this.buffer_s < STARVED_S) this.stalls += 1;
    this.starved = this.buffer_s < STARVED_S;
    this.tell.changed();
  }

  runs() {
    if (this.stopped_at === null || this.video.currentTime === this.stopped_s) return;
    const ms = performance.now() - this.stopped_at;
    this.stopped_at = null;
    if (!this.starved && ms < LONG_MS) {
      this.hitches += 1;
      return;
    }
    if (!this.starved) this.stalls += 1;
    this.stall_ms += ms;
    this.tell.stalled(ms);
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
