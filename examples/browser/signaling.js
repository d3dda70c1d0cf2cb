// Call signals over XMPP: log in, send one and wait until the peer has taken it, hand over what arrives, in order.

import { $build, $iq, $pres, Strophe } from 'strophe.js';

const CALL = 'urn:xmpp:call:0';
const DISCO = 'http://jabber.org/protocol/disco#info';
const ITEMS = 'http://jabber.org/protocol/disco#items';
const ACK_MILLISECONDS = 10_000;
const ASK_MILLISECONDS = 2_000;
const RETRY_MILLISECONDS = 1_000;
const LOGIN_MILLISECONDS = 10_000; // from the first packet to the JID
const FIRST_ATTEMPTS = 3;
const GONE = 'auth_token=; path=/; max-age=0'; // nothing is left of the token

/** The stanza error (RFC 6120, section 8.3) that refuses a signal. */
export class Refusal extends Error {
  constructor(type, condition, text = condition) {
    super(text);
    this.type = type;
    this.condition = condition;
  }
}

const WORDS = {
  'item-not-found': 'the peer knows no such call',
  'jid-malformed': 'that is no address; write it as bob@localhost',
  'remote-server-not-found': 'there is no such server',
  'service-unavailable': 'nobody is there',
};

export const bare = (jid) => Strophe.getBareJidFromJid(jid);

/** The user a development token is for: its `sub`. Throws when it is no JWT (RFC 7519), or names nobody. */
export function userOf(token) {
  const [, claims] = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token);
  const bytes = Uint8Array.from(atob(claims.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0));
  const user = JSON.parse(new TextDecoder().decode(bytes)).sub;
  if (typeof user !== 'string' || !user) throw new TypeError('the token names no user');
  return user;
}

export class Signaling {
  /**
   * Throws when `url` is no address of a WebSocket. `onSignal(signal, from)` may throw a `Refusal`; `onState(text, isIn)` tells how the connection is,
   * and whether we are logged in, be it through a cut.
   */
  constructor(url, token, { onSignal, onState }) {
    const user = userOf(token);
    const { protocol, hostname } = new URL(url);
    if (protocol !== 'ws:' && protocol !== 'wss:') throw new TypeError('no WebSocket');
    this.account = user.includes('@') ? user : `${user}@${hostname}`;
    this.jid = '';
    this.onSignal = onSignal;
    this.onState = onState;
    this.isWanted = true;
    this.farewell = 'offline';
    this.attempts = 0;
    this.isUp = false;
    this.timer = null; // of the attempt under way, or of the next one
    this.arrived = Promise.resolve();
    document.cookie = `auth_token=${token}; path=/; SameSite=Strict`;
    this.connection = new Strophe.Connection(url, {
      mechanisms: [Strophe.SASLExternal],
      enableStreamManagement: true,
    });
    this.#connect();
  }

  close() {
    this.isWanted = false;
    clearTimeout(this.timer);
    this.connection.disconnect('the page says goodbye');
    document.cookie = GONE;
  }

  /** Send `signal` to a JID; resolves once the peer has taken it, rejects with the `Refusal`. */
  send(signal, to) {
    // Strophe would keep it and send it later: a call that nobody wants any more must not ring.
    if (!this.isUp) return Promise.reject(new Refusal('wait', 'timeout', 'there is no connection to the server'));
    const stanza = $iq({ type: 'set', to, id: this.connection.getUniqueId('call') })
      .c('call', { xmlns: CALL })
      .t(JSON.stringify(signal));
    return new Promise((resolve, reject) => {
      this.connection.sendIQ(stanza, resolve, (error) => reject(refusal(error)), ACK_MILLISECONDS);
    });
  }

  /** The devices of an account to which the server routes calls; none where it does not tell. */
  devices(account) {
    const question = $iq({ type: 'get', to: account, id: this.connection.getUniqueId('items') });
    question.c('query', { xmlns: ITEMS, node: CALL });
    return new Promise((resolve) => {
      const listed = (answer) => [...answer.getElementsByTagName('item')].map((item) => item.getAttribute('jid'));
      if (!this.isUp) resolve([]);
      else this.connection.sendIQ(question, (answer) => resolve(listed(answer)), () => resolve([]), ASK_MILLISECONDS);
    });
  }

  #connect() {
    const token = null; // it travels in the cookie
    this.attempts += 1;
    if (!this.jid) this.onState('connecting …', false);
    this.#later(LOGIN_MILLISECONDS, () => this.connection.disconnect('no answer in time'));
    // SASL EXTERNAL then names our account. Strophe could not leave it out: it cannot write or read the "=" that stands for
    // nothing (RFC 6120, section 6.4), with which Prosody asks.
    this.connection.connect(this.account, token, (status, why) => this.#changed(status, why));
  }

  #later(milliseconds, step) {
    clearTimeout(this.timer);
    this.timer = setTimeout(step, milliseconds);
  }

  #changed(status, why) {
    const { AUTHFAIL, CONNECTED, DISCONNECTED } = Strophe.Status;
    if (status === CONNECTED) {
      clearTimeout(this.timer);
      this.attempts = 0;
      this.isUp = true;
      this.jid = this.connection.jid;
      this.connection.addHandler((stanza) => this.#arrives(stanza), CALL, 'iq', 'set'); // a cut took them away
      this.connection.addHandler((stanza) => this.#tellFeatures(stanza), DISCO, 'iq', 'get');
      if (!this.connection.hasResumed()) this.connection.send($pres());
      this.onState(`online as ${this.jid}`, true);
    } else if (status === AUTHFAIL) {
      this.isWanted = false;
      document.cookie = GONE;
      this.farewell = `not let in: ${why ?? 'the token is not taken'}`;
    } else if (status === DISCONNECTED) {
      // A browser does not tell a page why the server refused (401 for a bad token), so the first attempts are counted.
      clearTimeout(this.timer);
      this.isUp = false;
      const isHopeless = !this.jid && this.attempts >= FIRST_ATTEMPTS;
      if (!this.isWanted) {
        this.onState(this.farewell, false);
      } else if (isHopeless) {
        document.cookie = GONE;
        this.onState('could not connect: look at the address and the token', false);
      } else {
        const advice = this.attempts >= FIRST_ATTEMPTS ? ' If it lasts, log out, and in again with a new token.' : '';
        this.onState(`offline, trying again …${advice}`, this.jid !== '');
        this.#later(RETRY_MILLISECONDS, () => this.#connect());
      }
    }
  }

  // One after another: what a signal starts (setRemoteDescription) has ended before the next one is looked at.
  #arrives(stanza) {
    const answer = { to: stanza.getAttribute('from'), id: stanza.getAttribute('id') };
    this.arrived = this.arrived.then(async () => {
      try {
        const text = Strophe.getText(stanza.getElementsByTagName('call')[0]);
        await this.onSignal(parse(Strophe.xmlunescape(text)), answer.to);
        this.connection.send($iq({ ...answer, type: 'result' }));
      } catch (error) {
        const { type, condition } = error instanceof Refusal ? error : new Refusal('cancel', 'internal-server-error');
        if (!(error instanceof Refusal)) console.error(error);
        this.connection.send(
          $iq({ ...answer, type: 'error' })
            .c('error', { type })
            .c(condition, { xmlns: 'urn:ietf:params:xml:ns:xmpp-stanzas' }),
        );
      }
    });
    return true; // keep the handler
  }

  #tellFeatures(stanza) {
    const answer = { to: stanza.getAttribute('from'), id: stanza.getAttribute('id'), type: 'result' };
    const query = $build('query', { xmlns: DISCO });
    query.c('identity', { category: 'client', type: 'web', name: 'Aoba browser phone' }).up();
    query.c('feature', { var: DISCO }).up().c('feature', { var: CALL }).up();
    this.connection.send($iq(answer).cnode(query.tree()));
    return true;
  }
}

function parse(text) {
  try {
    const signal = JSON.parse(text);
    if (typeof signal.type === 'string' && typeof signal.callId === 'string' && signal.payload) return signal;
  } catch {
    // falls through
  }
  throw new Refusal('modify', 'bad-request');
}

function refusal(stanza) {
  if (stanza === null) return new Refusal('wait', 'timeout', 'no answer in time');
  const error = stanza.getElementsByTagName('error')[0];
  const condition = error?.firstElementChild?.localName ?? 'undefined-condition';
  return new Refusal(error?.getAttribute('type') ?? 'cancel', condition, WORDS[condition]);
}
