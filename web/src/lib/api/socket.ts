import { address, unable } from './client';

/** `full`: the server takes no more live connections now; like `lost`, it is tried again. */
export type Connection = 'connecting' | 'open' | 'lost' | 'full' | 'gone';

/** The server sends a heartbeat every 5 s: a connection that is silent for more than twice that is dead. */
const SILENCE_MS = 12_000;
const SLOWEST_RETRY_MS = 10_000;
const UNKNOWN_JOB = 4404;

/**
 * A WebSocket that reconnects with growing pauses, at once when the network or the tab returns. Every connection
 * begins with a snapshot, so that nothing is missed. Ends for good when closed, or when the server says that the job is gone.
 */
export class LiveSocket<Message extends { type: string }> {
	#socket: WebSocket | null = null;
	#attempt = 0;
	#retry: ReturnType<typeof setTimeout> | undefined;
	#watchdog: ReturnType<typeof setTimeout> | undefined;
	#closed = false;
	#refused = false;

	constructor(
		private readonly path: string,
		private readonly onMessage: (message: Message) => void,
		private readonly onConnection: (connection: Connection) => void
	) {
		window.addEventListener('online', this.#now);
		document.addEventListener('visibilitychange', this.#now);
		this.#connect();
	}

	close(): void {
		this.#closed = true;
		clearTimeout(this.#retry);
		clearTimeout(this.#watchdog);
		window.removeEventListener('online', this.#now);
		document.removeEventListener('visibilitychange', this.#now);
		this.#drop();
	}

	#now = () => {
		if (this.#socket || this.#closed || document.hidden) return;
		this.#attempt = 0;
		this.#connect();
	};

	#connect(): void {
		clearTimeout(this.#retry);
		if (!this.#attempt) this.onConnection('connecting');
		const url = new URL(address(this.path), location.href);
		url.protocol = url.protocol.replace('http', 'ws');
		const socket = new WebSocket(url);
		this.#socket = socket;
		this.#refused = false;
		this.#expect();
		socket.onmessage = ({ data }: MessageEvent<string>) => {
			this.#expect();
			const message = JSON.parse(data) as Message;
			this.#refused = message.type === 'refused';
			if (this.#refused) return;
			this.#attempt = 0;
			this.onConnection('open');
			if (message.type !== 'heartbeat') this.onMessage(message);
		};
		socket.onclose = ({ code }) => this.#lost(code);
	}

	#expect(): void {
		clearTimeout(this.#watchdog);
		this.#watchdog = setTimeout(() => this.#lost(0), SILENCE_MS);
	}

	#drop(): void {
		if (!this.#socket) return;
		this.#socket.onmessage = this.#socket.onclose = null;
		this.#socket.close();
		this.#socket = null;
	}

	#lost(code: number): void {
		clearTimeout(this.#watchdog);
		this.#drop();
		unable.heard();
		if (code === UNKNOWN_JOB) {
			this.#closed = true;
			this.onConnection('gone');
			return;
		}
		this.onConnection(this.#refused ? 'full' : 'lost');
		this.#attempt += 1;
		const wait = Math.min(400 * 2 ** this.#attempt, SLOWEST_RETRY_MS) * (0.7 + 0.6 * Math.random());
		this.#retry = setTimeout(() => this.#connect(), wait);
	}
}
