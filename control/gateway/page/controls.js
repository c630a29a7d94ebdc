// The viewer's hands: play, pause, jump, volume, full screen, keys.
//
// What lives here: what a click or key does to the video element. Never: sessions, or who serves.

const QUIET_AFTER_MS = 2600;
const STEP_S = 10;

/** Wire the controls of `stage` to `video`. Nothing here knows a title or a player. */
export function wireControls(stage, video, { toggle, mute, full, seek }) {
  const playing = () => (video.paused ? video.play().catch(() => {}) : video.pause());
  const jump = (to) => { video.currentTime = Math.min(Math.max(to, 0), Math.max((video.duration || 0) - 0.1, 0)); };
  const loud = () => { video.muted = !video.muted; };
  const fill = () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen?.());

  toggle.addEventListener('click', playing);
  mute.addEventListener('click', loud);
  full.addEventListener('click', fill);
  video.addEventListener('click', playing);
  video.addEventListener('dblclick', fill);
  seek.addEventListener('change', () => { jump(Number(seek.value)); seek.blur(); });

  const keys = {
    ' ': playing,
    k: playing,
    m: loud,
    f: fill,
    ArrowLeft: () => jump(video.currentTime - STEP_S),
    ArrowRight: () => jump(video.currentTime + STEP_S),
  };
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, button, textarea') && event.target !== stage;
    const act = keys[event.key];
    if (!act || typing || event.ctrlKey || event.metaKey || event.altKey || !video.readyState) return;
    event.preventDefault();
    act();
  });
  hideWhenStill(stage, video);
}

function hideWhenStill(stage, video) {
  let timer;
  const wake = () => {
    stage.classList.remove('quiet');
    clearTimeout(timer);
    timer = setTimeout(() => stage.classList.toggle('quiet', !video.paused), QUIET_AFTER_MS);
  };
  ['pointermove', 'pointerdown', 'keydown'].forEach((event) => stage.addEventListener(event, wake));
  ['play', 'pause'].forEach((event) => video.addEventListener(event, wake));
}
