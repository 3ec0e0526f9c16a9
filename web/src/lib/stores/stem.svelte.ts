import { asApiError, type ApiError } from '$lib/api/problems';
import { FileUpload } from '$lib/api/uploads';

export type StemState = 'sending' | 'there' | 'failed' | 'cancelled';

/** The upload of a music and effects track. `done` resolves with its upload's id, and rejects when it failed or was cancelled. */
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
		this.done.catch(() => undefined); // shown by `error`; callers that await it get it too
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

	/** Stops the upload and deletes its data on the server. */
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
