import { asApiError, type ApiError } from '$lib/api/problems';
import { FileUpload } from '$lib/api/uploads';

export type StemState = 'sending' | 'there' | 'failed' | 'cancelled';

/** A background without voices on its way to the server. `done` resolves with its upload's id, and rejects when it failed or was cancelled. */
export class StemUpload {
	state = $state<StemState>('sending');
	sent_bytes = $state(0);
	error = $state.raw<ApiError | null>(null);
	readonly progress = $derived.by(() => (this.file.size ? this.sent_bytes / this.file.size : 0));
	readonly done: Promise<string>;
	#upload: FileUpload;
	#reject: (error: ApiError) => void = () => {};

	constructor(
		readonly file: File,
		chunk_bytes: number
	) {
		let there: (id: string) => void = () => {};
		this.done = new Promise((resolve, reject) => ([there, this.#reject] = [resolve, reject]));
		this.done.catch(() => undefined); // shown by `error`; whoever waits for it hears of it too
		const watcher = {
			onProgress: (sent_bytes: number) => (this.sent_bytes = sent_bytes),
			onDone: (id: string) => {
				this.state = 'there';
				there(id);
			},
			onError: (error: ApiError) => this.#fail(error)
		};
		this.#upload = new FileUpload(file, chunk_bytes, watcher, false);
		this.#upload.start().catch((thrown: unknown) => this.#fail(asApiError(thrown)));
	}

	/** Stops, and deletes what the server has of it. */
	async cancel(): Promise<void> {
		if (this.state === 'sending') this.#reject(asApiError(new Error('The upload of the background was cancelled.')));
		this.state = 'cancelled';
		await this.#upload.cancel();
	}

	#fail(error: ApiError): void {
		if (this.state === 'cancelled') return;
		this.state = 'failed';
		this.error = error;
		this.#reject(error);
	}
}
