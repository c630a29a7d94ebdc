// The three players behind one shape. Each is tuned to start soon and to leave an appliance that does not
// answer within about three seconds, while twenty seconds of video lie in the buffer.
//
// What lives here: settings of the players and their events, translated. Never: the page, or who serves.
//
// start(choice, {video, url, at_s, tell}) resolves when the player has taken the manifest; `tell` has
//   steering({priority, ttl_s})   a steering manifest was loaded
//   failed(url, words)            one request failed; the player goes on
//   fatal(words)                  playback has ended for good
// and the value it resolves with has close().

const BUFFER_S = 20; // the scale on which an appliance may die without a viewer noticing
const BEHIND_S = 30;
const SILENCE_MS = 2500; // no byte for so long: ask another appliance
const WHOLE_MS = 8000; // a segment must be here after so long
const DASH_WHOLE_MS = 6000; // dash.js does not notice silence before the first byte, so it waits less for the whole
const RETRY_MS = 100;
const PENALTY_MS = 30000; // how long a pathway that failed is the last choice, unless steering drops it first
const FIRST_BPS = 1000000; // assumed before anything is measured: a start well below a second on a 10 Mbit/s line

const SEGMENT_LOST = 27; // dash.js: DOWNLOAD_ERROR_ID_CONTENT_CODE

export const PLAYERS = {
  hls: { name: 'hls.js', script: 'players/hls.min.js', formats: ['hls'], start: startHls },
  dash: { name: 'dash.js', script: 'players/dash.all.min.js', formats: ['dash'], start: startDash },
  shaka: { name: 'Shaka', script: 'players/shaka-player.compiled.js', formats: ['hls', 'dash'], start: startShaka },
};

const loading = new Map();

/** Load a player's script once. Rejects when it is not installed on this server. */
export function load(choice) {
  const { script, name } = PLAYERS[choice];
  if (!loading.has(choice)) {
    loading.set(choice, new Promise((resolve, reject) => {
      const tag = document.createElement('script');
      tag.src = script;
      tag.onload = resolve;
      tag.onerror = () => {
        loading.delete(choice);
        tag.remove();
        reject(new Error(`${name} is not installed here: run “make demo” with network access to fetch it.`));
      };
      document.head.append(tag);
    }));
  }
  return loading.get(choice);
}

async function startHls({ video, url, at_s, tell }) {
  const { Hls } = window;
  const retry = { maxNumRetry: 2, retryDelayMs: RETRY_MS, maxRetryDelayMs: RETRY_MS };
  const soon = { maxTimeToFirstByteMs: SILENCE_MS, maxLoadTimeMs: WHOLE_MS, timeoutRetry: retry, errorRetry: retry };
  const hls = new Hls({
    enableWorker: false,
    startPosition: at_s,
    maxBufferLength: BUFFER_S,
    maxMaxBufferLength: BUFFER_S,
    backBufferLength: BEHIND_S,
    startLevel: -1,
    testBandwidth: false,
    abrEwmaDefaultEstimate: FIRST_BPS,
    startFragPrefetch: true,
    fragLoadPolicy: { default: soon },
    playlistLoadPolicy: { default: soon },
    steeringManifestLoadPolicy: { default: soon },
  });
  const pathways = hlsPathways(hls);
  hls.on(Hls.Events.STEERING_MANIFEST_LOADED, (_, { steeringManifest }) => {
    tell.steering(read(steeringManifest));
    pathways.steered(steeringManifest['PATHWAY-PRIORITY']);
  });
  hls.on(Hls.Events.ERROR, (_, data) => {
    const failed = data.frag?.url ?? data.context?.url ?? data.url;
    if (data.fatal) {
      tell.fatal(`hls.js: ${data.details}`);
    } else if (data.type === Hls.ErrorTypes.NETWORK_ERROR && failed) {
      tell.failed(failed, data.details);
      pathways.failed(failed);
    }
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return { close: () => hls.destroy() };
}

// By itself hls.js tries every quality on a pathway before it leaves it. We leave at the first failure, as
// the other players do: the failed pathway goes to the end of the list until its penalty is over.
function hlsPathways(hls) {
  const until = new Map();
  let priority = null;
  const apply = () => {
    const now = performance.now();
    const listed = priority ?? [...new Set(hls.levels.map((level) => level.pathwayId))];
    const bad = (id) => (until.get(id) ?? 0) > now;
    hls.pathwayPriority = [...listed.filter((id) => !bad(id)), ...listed.filter(bad)];
  };
  return {
    steered(listed) {
      priority = listed;
      setTimeout(() => hls.media && apply()); // after hls.js has applied the list as it is
    },
    failed(url) {
      const level = hls.levels[Math.max(hls.loadLevel, 0)];
      if (level && new URL(level.uri).host === new URL(url).host) {
        until.set(level.pathwayId, performance.now() + PENALTY_MS);
        if (priority) apply();
      }
    },
  };
}

async function startDash({ video, url, at_s, tell }) {
  const { dashjs } = window;
  const player = dashjs.MediaPlayer().create();
  const events = dashjs.MediaPlayer.events;
  let giveUp;
  const broken = new Promise((resolve) => { giveUp = resolve; });
  const kinds = ['MPD', 'MediaSegment', 'InitializationSegment', 'other'];
  const each = (value) => Object.fromEntries(kinds.map((kind) => [kind, value]));
  player.initialize();
  player.updateSettings({
    debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
    streaming: {
      applyContentSteering: true,
      cacheInitSegments: true,
      blacklistExpiryTime: PENALTY_MS,
      fragmentRequestTimeout: DASH_WHOLE_MS,
      fragmentRequestProgressTimeout: SILENCE_MS,
      retryIntervals: each(RETRY_MS),
      retryAttempts: { ...each(1), MediaSegment: 0, InitializationSegment: 0 }, // the next pathway, at once
      lastBitrateCachingInfo: { enabled: false },
      utcSynchronization: { enabled: false },
      scheduling: { defaultTimeout: 100 },
      buffer: {
        bufferTimeDefault: BUFFER_S,
        bufferTimeAtTopQuality: BUFFER_S,
        bufferTimeAtTopQualityLongForm: BUFFER_S,
        bufferToKeep: BEHIND_S,
      },
      abr: { initialBitrate: { video: FIRST_BPS / 1000 } },
    },
  });
  player.on(events.CONTENT_STEERING_REQUEST_COMPLETED, ({ currentSteeringResponseData: answer }) => {
    if (answer) tell.steering({ priority: answer.pathwayPriority, ttl_s: answer.ttl });
  });
  player.on(events.FRAGMENT_LOADING_COMPLETED, ({ error, request }) => {
    if (error) tell.failed(request.url, 'request failed');
  });
  player.on(events.ERROR, ({ error }) => {
    if (error.code === SEGMENT_LOST && video.buffered.length) return; // of a pathway that is left by now
    tell.fatal(`dash.js: ${error.message}`);
    giveUp();
  });
  // Played only when dash.js listens: it first asks steering when it hears that playback starts.
  const listening = new Promise((resolve) => player.on(events.STREAM_INITIALIZED, resolve));
  player.setAutoPlay(false);
  player.attachView(video);
  player.attachSource(url, at_s || undefined);
  await Promise.race([listening, broken]);
  return { close: () => player.destroy() };
}

async function startShaka({ video, url, at_s, tell }) {
  const { shaka } = window;
  shaka.polyfill.installAll();
  const { CONTENT_STEERING } = shaka.net.NetworkingEngine.RequestType;
  const retryParameters = {
    maxAttempts: 6, // goes through the pathways, one after the other
    baseDelay: RETRY_MS,
    backoffFactor: 1,
    fuzzFactor: 0,
    connectionTimeout: SILENCE_MS,
    stallTimeout: SILENCE_MS,
    timeout: WHOLE_MS,
  };
  const player = new shaka.Player();
  player.configure({
    // Looking for captions inside the video would fetch a segment before the first one is shown.
    manifest: { retryParameters, hls: { disableClosedCaptionsDetection: true } },
    streaming: {
      retryParameters,
      bufferingGoal: BUFFER_S,
      bufferBehind: BEHIND_S,
      rebufferingGoal: 0,
      segmentPrefetchLimit: 0, // what was prefetched is thrown away when the quality changes, as it does at the start
      inaccurateManifestTolerance: 0, // our times are exact: no segment before the one to resume in
    },
    abr: { defaultBandwidthEstimate: FIRST_BPS, useNetworkInformation: false, bandwidthUpgradeTarget: 0.7 },
  });
  player.getNetworkingEngine().registerResponseFilter((type, { data }) => {
    if (type === CONTENT_STEERING) tell.steering(read(JSON.parse(new TextDecoder().decode(data))));
  });
  player.getNetworkingEngine().addEventListener('retry', ({ error }) => {
    tell.failed(String(error.data[0]), `error ${error.code}`);
  });
  player.addEventListener('error', ({ detail }) => {
    if (detail.severity === shaka.util.Error.Severity.CRITICAL) tell.fatal(`Shaka: error ${detail.code}`);
  });
  await player.attach(video);
  await player.load(url, at_s || null);
  return { close: () => player.destroy() };
}

function read(manifest) {
  return { priority: manifest['PATHWAY-PRIORITY'], ttl_s: manifest.TTL };
}
