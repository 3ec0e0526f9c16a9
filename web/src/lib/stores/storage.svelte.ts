import { asApiError, type ApiError } from '$lib/api/problems';
import { cleanStorage, getStorage } from '$lib/api/storage';
import type { CleanReport, StorageReport } from '$lib/api/types';

const AGAIN_MS = 2000;

/** What the server keeps, how much space is left, and what retention would delete. */
export class StorageStore {
	#report = $state.raw<StorageReport | null>(null);
	#plan = $state.raw<CleanReport | null>(null);
	#error = $state.raw<ApiError | null>(null);

	/** Less than the minimum is free: the server accepts no new uploads or jobs. */
	readonly full = $derived(this.#report?.disk.full ?? false);

	get report(): StorageReport | null {
		return this.#report;
	}
	get plan(): CleanReport | null {
		return this.#plan;
	}
	get error(): ApiError | null {
		return this.#error;
	}

	async load(): Promise<void> {
		this.#error = null;
		try {
			this.#report = await getStorage();
			if (!this.#report.measured_at) setTimeout(() => void this.load(), AGAIN_MS); // the server is still reading its first figures
		} catch (thrown) {
			this.#error = asApiError(thrown);
		}
	}

	/** What would be deleted now. */
	async look(): Promise<void> {
		this.#plan = await cleanStorage(true);
	}

	/** Deletes it; returns what was deleted. */
	async clean(): Promise<CleanReport> {
		const done = await cleanStorage(false);
		this.#plan = null;
		await this.load();
		return done;
	}
}

export const storage = new StorageStore();
