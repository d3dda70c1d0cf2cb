// The page: log in, call, answer, mute, hang up; and what can be seen of it.

import { Phone } from './phone.js';
import { Signaling, bare, userOf } from './signaling.js';

const $ = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);
let audio = null; // AudioContexts start only after a click
let signaling = null;
let meters = null;

const phone = new Phone({ openVoice, name: '' });
window.phone = phone; // to look at from the console

$('connection').textContent = 'offline';
$('url').value = parameters.get('url') ?? `ws://${location.hostname}:8082/xmpp`;
$('tone').checked = parameters.has('tone');

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  audio ??= new AudioContext();
  const token = $('token').value.trim();
  try {
    phone.name = userOf(token);
  } catch {
    return tell('That is no token. Print one with: aoba-call token alice');
  }
  if (signaling) {
    signaling.onState = () => {}; // what becomes of it is not shown any more
    signaling.close();
  }
  try {
    signaling = new Signaling($('url').value, token, {
      onSignal: (signal, from) => phone.take(signal, from),
      onState: (text, isIn) => {
        put('connection', text);
        document.body.classList.toggle('in', isIn);
        if (signaling?.isUp) attempt(phone.reconnected());
      },
    });
  } catch {
    return tell('That is no server. Write it as ws://localhost:8082/xmpp');
  }
  phone.signaling = signaling;
  $('token').value = '';
});

$('logout').addEventListener('click', async () => {
  if (phone.call) await phone.hangup();
  signaling.close();
});

$('dial').addEventListener('submit', (event) => {
  event.preventDefault();
  const peer = $('peer').value.trim();
  attempt(phone.dial(peer.includes('@') ? peer : `${peer}@${signaling.account.split('@')[1]}`));
});
$('accept').addEventListener('click', () => attempt(phone.accept()));
$('reject').addEventListener('click', () => attempt(phone.reject()));
$('hangup').addEventListener('click', () => attempt(phone.hangup()));
$('mute').addEventListener('click', () => attempt(phone.mute(!phone.call.isMuted)));

addEventListener('pagehide', () => phone.call && attempt(phone.hangup())); // the tab is closed: the peer need not wait

phone.addEventListener('ended', ({ detail }) => {
  const { peer, reason, by, duration, why } = detail;
  const item = document.createElement('li');
  const length = duration === null || duration === undefined ? '' : `, ${clock(duration)}`;
  item.textContent = `${bare(peer)}: ${reason}${length} (${by})${why ? `, ${why}` : ''}`;
  $('log').prepend(item);
});
phone.addEventListener('changed', show);
setInterval(show, 250);
show();

/** The stream to speak with: the microphone, or a tone for machines that have none. */
async function openVoice() {
  if (!$('tone').checked) {
    if (!navigator.mediaDevices) throw new Error('browsers give the microphone to https:// pages and to localhost alone');
    return navigator.mediaDevices.getUserMedia({ audio: true });
  }
  const oscillator = new OscillatorNode(audio, { frequency: Number(parameters.get('tone')) || 600 });
  const volume = new GainNode(audio, { gain: 0.3 });
  const output = audio.createMediaStreamDestination();
  oscillator.connect(volume).connect(output);
  oscillator.start();
  return output.stream;
}

function show() {
  const call = phone.call;
  document.body.dataset.state = phone.state;
  put('state', {
    idle: 'No call',
    calling: `Calling ${bare(call?.peer ?? '')} …`,
    ringing: `${call?.callerName || bare(call?.peer ?? '')} is calling`,
    connecting: `Connecting to ${bare(call?.peer ?? '')} …`,
    connected: `In a call with ${bare(call?.peer ?? '')}`,
  }[phone.state]);
  put('time', {
    ringing: call?.peer, // a caller may call itself anything; the server vouches for this
    connected: clock(Math.floor((performance.now() - call?.connectedAt) / 1000)),
  }[phone.state] ?? '');
  put('mute', call?.isMuted ? 'Unmute' : 'Mute');
  $('peer-muted').hidden = !call?.isPeerMuted;
  listen(call);
  for (const side of ['local', 'remote']) $(`${side}-level`).value = meters?.[side]?.() ?? 0;
}

/** Show a text, where it is not shown already: a selection stays, and a screen reader says it once. */
function put(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** Play the peer's voice, and measure both. */
function listen(call) {
  const remote = call?.remote ?? null;
  if ($('voice').srcObject !== remote) $('voice').srcObject = remote;
  if (!remote) meters = null;
  else meters ??= { local: meter(call.voice), remote: meter(remote) };
}

function meter(stream) {
  const analyser = new AnalyserNode(audio, { fftSize: 2048 });
  new MediaStreamAudioSourceNode(audio, { mediaStream: stream }).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  };
}

async function attempt(step) {
  try {
    await step;
  } catch (error) {
    tell(error.message);
  }
}

function tell(text) {
  const item = document.createElement('li');
  item.textContent = text;
  $('log').prepend(item);
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
