// One call at a time: the call's states, its peer connection, and the signals between the two parties.

import { Refusal, bare } from './signaling.js';

const RING_MILLISECONDS = 30_000;
const CONNECT_MILLISECONDS = 15_000;
const REMEMBERED = 200;

/** States: `idle`, `calling` (it rings there), `ringing` (it rings here), `connecting`, `connected`. */
export class Phone extends EventTarget {
  /** `openVoice()` gives the MediaStream to speak with; `name` is told to whom we call. */
  constructor({ openVoice, name }) {
    super();
    this.openVoice = openVoice;
    this.name = name;
    this.signaling = null;
    this.call = null;
    this.ended = []; // ids of calls that are over: they never ring again
    this.heard = []; // signals that were acted on: a resend is taken, and acted on once
  }

  get state() {
    return this.call?.state ?? 'idle';
  }

  async dial(peer) {
    if (this.call) throw new Error('there is a call already');
    const call = this.#begin(crypto.randomUUID(), peer, 'calling', RING_MILLISECONDS, 'timeout');
    if (!(await this.#open(call))) return;
    if (peer === bare(peer)) call.rings = await this.signaling.devices(peer);
    if (this.call !== call) return;
    call.isTold = true;
    await this.#orEnd(call, this.#send(call, 'call:initiate', { callerName: this.name, media: ['audio'] }));
  }

  async accept() {
    const call = this.call;
    if (call?.state !== 'ringing') return;
    this.#turn(call, 'connecting', RING_MILLISECONDS, 'timeout'); // the user may be asked for the microphone first
    if (!(await this.#open(call))) return;
    this.#turn(call, 'connecting', CONNECT_MILLISECONDS, 'failed');
    await this.#orEnd(call, this.#send(call, 'call:accept', {}));
  }

  async reject() {
    const call = this.call;
    this.#end(call, 'rejected', 'local');
    await this.#send(call, 'call:reject', {}).catch(() => {});
  }

  async hangup() {
    const call = this.call;
    if (call.state === 'ringing') return this.reject();
    await this.#hangup(call, call.state === 'connected' ? 'completed' : 'cancelled');
  }

  mute(isMuted) {
    const call = this.call;
    call.isMuted = isMuted;
    for (const track of call.voice.getTracks()) track.enabled = !isMuted;
    this.#changed();
    return this.#tellMute(call);
  }

  /** Signals flow again: the peer is told what could not be said meanwhile. */
  async reconnected() {
    if (this.call?.isMuteUntold) await this.#tellMute(this.call);
  }

  /** A signal arrived. Throws the `Refusal` to answer with. */
  async take(signal, from) {
    const key = `${from} ${JSON.stringify(signal)}`;
    if (this.heard.includes(key)) return;
    await this.#act(signal, from);
    this.heard = [...this.heard, key].slice(-REMEMBERED);
  }

  async #act({ type, callId, payload }, from) {
    if (this.ended.includes(callId)) throw new Refusal('cancel', 'item-not-found');
    if (type === 'call:initiate') return this.#initiated(callId, payload, from);
    const call = this.call;
    if (call?.id !== callId) throw new Refusal('cancel', 'item-not-found');
    if (bare(from) !== bare(call.peer)) throw new Refusal('auth', 'forbidden');
    if (call.lost.includes(from)) { // another device was faster, and may only now be told
      if (type === 'call:accept') this.#stop(call, [from]);
      return;
    }
    const steps = {
      'call:accept': () => this.#accepted(call, from),
      'call:reject': () => this.#refused(call, from, 'rejected'),
      'call:busy': () => this.#refused(call, from, 'busy'),
      'call:offer': () => this.#orEnd(call, this.#offered(call, payload)),
      'call:answer': () => this.#orEnd(call, this.#answered(call, payload)),
      'call:ice-candidate': () => this.#candidate(call, payload),
      'call:mute-change': () => this.#peerMuted(call, payload.muted),
      'call:hangup': () => this.#refused(call, from, payload.reason, payload.duration),
    };
    if (!Object.hasOwn(steps, type)) throw new Refusal('cancel', 'feature-not-implemented');
    const isRinging = call.state === 'calling' || call.state === 'ringing' || !call.connection;
    const isEarly = isRinging && /offer|answer|mute/.test(type);
    const isLate = type === 'call:accept' && call.state !== 'calling';
    if (isEarly || isLate) throw new Refusal('wait', 'unexpected-request');
    await steps[type]();
  }

  async #initiated(id, payload, from) {
    const current = this.call;
    const isGlare = current?.state === 'calling' && bare(current.peer) === bare(from);
    if (isGlare && current.id < id) return; // ours wins; the peer will accept it
    if (isGlare) {
      this.#forget(current);
      this.#begin(id, from, 'ringing', RING_MILLISECONDS, 'timeout');
      queueMicrotask(() => this.accept()); // both want to talk
      return;
    }
    if (current) {
      this.signaling.send(signal(id, 'call:busy', {}), from).catch(() => {});
      return;
    }
    const call = this.#begin(id, from, 'ringing', RING_MILLISECONDS, 'timeout');
    call.callerName = payload.callerName ?? '';
    this.#changed();
  }

  /** The peer says no, or goodbye. One of several devices that ring is only out, unless it speaks for the user. */
  #refused(call, from, reason, duration) {
    const left = call.rings.filter((device) => device !== from);
    if (reason !== 'rejected' && left.length && left.length < call.rings.length) {
      call.rings = left;
      call.lost.push(from);
      return;
    }
    this.#stop(call, left);
    this.#end(call, reason, 'remote', duration);
  }

  /** Devices need not ring any more. */
  #stop(call, devices) {
    const payload = { reason: 'cancelled' };
    for (const device of devices) this.signaling.send(signal(call.id, 'call:hangup', payload), device).catch(() => {});
  }

  async #accepted(call, from) {
    call.peer = from;
    call.lost.push(...call.rings.filter((device) => device !== from));
    call.rings = [];
    this.#stop(call, call.lost);
    this.#turn(call, 'connecting', CONNECT_MILLISECONDS, 'failed');
    await call.connection.setLocalDescription();
    // Not awaited: the accept is acknowledged first.
    this.#orEnd(call, this.#sendDescription(call, 'call:offer'));
  }

  async #offered(call, description) {
    await call.connection.setRemoteDescription(description);
    await this.#applyCandidates(call);
    await call.connection.setLocalDescription();
    // Not awaited: the offer is acknowledged first.
    this.#orEnd(call, this.#sendDescription(call, 'call:answer'));
  }

  async #answered(call, description) {
    await call.connection.setRemoteDescription(description);
    await this.#applyCandidates(call);
  }

  #sendDescription(call, type) {
    const { type: kind, sdp } = call.connection.localDescription;
    return this.#send(call, type, { type: kind, sdp });
  }

  async #candidate(call, init) {
    if (!call.connection?.remoteDescription) {
      if (call.early.length < 64) call.early.push(init);
      return;
    }
    await call.connection.addIceCandidate(init).catch(() => {}); // a useless one harms nobody
  }

  async #applyCandidates(call) {
    for (const init of call.early.splice(0)) await this.#candidate(call, init);
  }

  #peerMuted(call, isMuted) {
    call.isPeerMuted = isMuted;
    this.#changed();
  }

  /** Get a voice for the call and make its connection; false when the call is over, for want of a voice or meanwhile. */
  async #open(call) {
    let voice;
    try {
      voice = await this.openVoice();
    } catch (error) {
      await this.#hangup(call, 'failed', `no voice: ${error.message}`);
      return false;
    }
    if (this.call !== call) { // whoever asked for it has gone: the microphone must not stay on
      for (const track of voice.getTracks()) track.stop();
      return false;
    }
    call.voice = voice;
    const connection = new RTCPeerConnection();
    call.connection = connection;
    for (const track of call.voice.getTracks()) connection.addTrack(track, call.voice);
    connection.ontrack = ({ streams, track }) => {
      call.remote = streams[0] ?? new MediaStream([track]);
      this.#changed();
    };
    connection.onicecandidate = ({ candidate }) => {
      const last = { candidate: '', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null };
      const { candidate: text, sdpMid, sdpMLineIndex, usernameFragment } = candidate ?? last;
      const payload = { candidate: text, sdpMid, sdpMLineIndex, usernameFragment };
      // After the description that it belongs to, and one after another.
      call.sent = call.sent.then(() => this.#send(call, 'call:ice-candidate', payload)).catch(() => {});
    };
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === 'connected' && call.state === 'connecting') {
        call.connectedAt = performance.now();
        this.#turn(call, 'connected');
      } else if (connection.connectionState === 'failed') {
        this.#hangup(call, 'failed');
      }
    };
    return true;
  }

  #begin(id, peer, state, milliseconds, reason) {
    const call = {
      id, peer, callerName: '', isMuted: false, isPeerMuted: false, early: [], sent: Promise.resolve(), connectedAt: null,
      isTold: state === 'ringing', // whether the peer knows of it
      isMuteUntold: false,
      rings: [], // the devices where it rings
      lost: [], // those that it rang at, and that have no part in it
    };
    this.call = call;
    this.#turn(call, state, milliseconds, reason);
    return call;
  }

  #turn(call, state, milliseconds, reason) {
    clearTimeout(call.timer);
    call.state = state;
    if (milliseconds) call.timer = setTimeout(() => this.#hangup(call, reason), milliseconds);
    this.#changed();
  }

  async #tellMute(call) {
    call.isMuteUntold = true;
    await this.#send(call, 'call:mute-change', { muted: call.isMuted });
    call.isMuteUntold = false;
  }

  #send(call, type, payload) {
    return this.signaling.send(signal(call.id, type, payload), call.peer);
  }

  async #orEnd(call, sending) {
    try {
      await sending;
    } catch (error) {
      if (this.call === call) await this.#hangup(call, 'failed', error.message);
    }
  }

  async #hangup(call, reason, why) {
    if (this.call !== call) return;
    const isSilent = call.state === 'ringing' || !call.isTold; // it rang here in vain: the caller ends the call by itself
    const duration = secondsOf(call);
    this.#end(call, reason, 'local', duration, why);
    if (!isSilent) {
      const payload = duration === null ? { reason } : { reason, duration };
      await this.#send(call, 'call:hangup', payload).catch(() => {});
    }
  }

  #end(call, reason, by, duration = secondsOf(call), why = '') {
    this.#forget(call);
    this.dispatchEvent(new CustomEvent('ended', { detail: { id: call.id, peer: call.peer, reason, by, duration, why } }));
    this.#changed();
  }

  #forget(call) {
    clearTimeout(call.timer);
    call.connection?.close();
    for (const track of call.voice?.getTracks() ?? []) track.stop();
    this.ended = [...this.ended, call.id].slice(-REMEMBERED);
    this.call = null;
  }

  #changed() {
    this.dispatchEvent(new Event('changed'));
  }
}

function signal(callId, type, payload) {
  return { type, callId, timestamp: Date.now(), payload };
}

function secondsOf(call) {
  return call.connectedAt === null ? null : Math.floor((performance.now() - call.connectedAt) / 1000);
}
