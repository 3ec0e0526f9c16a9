import { asApiError } from '$lib/api/problems';

export interface Toast {
	id: number;
	kind: 'error' | 'info' | 'success';
	message: string;
	hint: string;
	link?: { href: string; label: string };
	action?: { label: string; run: () => Promise<unknown> };
}

const OFFERED_MS = 20_000; // long enough to look at what was done

/** Notifications. Errors stay until they are closed; others disappear by themselves. */
export class ToastStore {
	#toasts = $state<Toast[]>([]);
	#next = 1;

	constructor(private readonly shown_ms = 6000) {}

	get all(): readonly Toast[] {
		return this.#toasts;
	}

	info(message: string, link?: Toast['link'], kind: 'info' | 'success' = 'info'): void {
		const id = this.#add({ kind, message, hint: '', link });
		setTimeout(() => this.close(id), this.shown_ms);
	}

	/** Says what was done, with a way to take it back. */
	offer(message: string, action: Toast['action'], hint = ''): void {
		const id = this.#add({ kind: 'success', message, hint, action });
		setTimeout(() => this.close(id), OFFERED_MS);
	}

	/** Shows an error with what to do; the same one is not shown twice. */
	error(thrown: unknown): void {
		const { message, hint } = asApiError(thrown);
		if (this.#toasts.some((t) => t.kind === 'error' && t.message === message)) return;
		this.#add({ kind: 'error', message, hint });
	}

	close(id: number): void {
		this.#toasts = this.#toasts.filter((t) => t.id !== id);
	}

	/** Runs a user's action; a failure becomes a toast. Returns true on success. */
	async guard(action: () => Promise<unknown>): Promise<boolean> {
		try {
			await action();
			return true;
		} catch (thrown) {
			this.error(thrown);
			return false;
		}
	}

	#add(toast: Omit<Toast, 'id'>): number {
		const id = this.#next++;
		this.#toasts = [...this.#toasts.slice(-3), { ...toast, id }];
		return id;
	}
}

export const toasts = new ToastStore();
