import { unable } from '$lib/api/client';
import { getHealth } from '$lib/api/system';
import { server } from './server.svelte';

const AGAIN_MS = 3000;
/** The library has its own banner for low disk space: in that case alone, the server still works on existing jobs. */
const TOLD_ELSEWHERE = 'disk';

/** Whether the server is ready, and why not. Requested after a refusal for that reason; polled while it is not ready. */
export class HealthStore {
	#reasons = $state.raw<string[]>([]);
	#looks = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** `back` is called when the server can work again. */
	constructor(private readonly back: () => void) {}

	/** Why it is not ready, in sentences. Empty in the first moments of a start. */
	get reasons(): string[] {
		return this.#reasons;
	}

	/** Lives until the returned function is called. */
	follow(): () => void {
		unable.heard = () => void this.look();
		void this.look();
		return () => {
			unable.heard = () => {};
			clearTimeout(this.#timer);
		};
	}

	async look(): Promise<void> {
		clearTimeout(this.#timer);
		let failed: { name: string; detail: string }[];
		try {
			failed = (await getHealth()).checks.filter((check) => !check.ok && check.name !== TOLD_ELSEWHERE);
		} catch {
			return; // it does not answer at all: the sockets say so, and come back
		}
		if (failed.length) {
			if (this.#looks++) this.#reasons = [...new Set(failed.map((check) => check.detail))];
			this.#timer = setTimeout(() => void this.look(), AGAIN_MS);
		} else if (this.#looks) {
			this.#looks = 0;
			this.#reasons = [];
			this.back();
		}
	}
}

export const health = new HealthStore(() => void server.load());
