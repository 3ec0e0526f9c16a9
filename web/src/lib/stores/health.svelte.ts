import { unable } from '$lib/api/client';
import { getHealth } from '$lib/api/system';
import { server } from './server.svelte';

const AGAIN_MS = 3000;
/** The library has a banner of its own for the disk's floor: with that alone the server still works on what it has. */
const TOLD_ELSEWHERE = 'disk';

/** Whether the server can work, and why not. Asked when something is refused for that; while it cannot, again and again. */
export class HealthStore {
	#reasons = $state.raw<string[]>([]);
	#looks = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** `back` is called when the server can work again. */
	constructor(private readonly back: () => void) {}

	/** What hinders it, in sentences. Empty in the first moments of a start, which take no longer than that. */
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
