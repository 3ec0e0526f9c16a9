// Uploads over tus 1.0: in chunks that proxies accept, resuming after a broken connection or a reload.
import { Upload, defaultOptions, DetailedError, type PreviousUpload } from 'tus-js-client';
import { address } from './client';
import { ApiError, toApiError, unreachable } from './problems';

const endpoint = () => address('/api/uploads');

export interface UploadWatcher {
	onProgress: (sent_bytes: number) => void;
	onDone: (uploadId: string) => void;
	onError: (error: ApiError) => void;
}

/** An upload that an earlier visit began, as the browser remembers it. */
export interface Remembered {
	key: string;
	id: string;
	name: string;
	size_bytes: number;
	began_at: Date;
}

const idOf = (url: string) => url.replace(/\/+$/, '').split('/').pop() ?? '';

function explain(thrown: Error | DetailedError): ApiError {
	const response = 'originalResponse' in thrown ? thrown.originalResponse : null;
	if (!response) return unreachable();
	try {
		return toApiError(JSON.parse(response.getBody()), response.getStatus());
	} catch (notJson) {
		return toApiError(notJson, response.getStatus());
	}
}

/** A file on its way. `start` goes on from where an earlier visit stopped when the file is the same, unless `remember` is false. */
export class FileUpload {
	#upload: Upload;

	constructor(
		file: File,
		chunk_bytes: number,
		watcher: UploadWatcher,
		private readonly remember = true
	) {
		this.#upload = new Upload(file, {
			endpoint: endpoint(),
			chunkSize: chunk_bytes,
			retryDelays: [0, 1000, 3000, 5000, 10_000, 20_000],
			metadata: { filename: file.name, filetype: file.type },
			storeFingerprintForResuming: remember,
			removeFingerprintOnSuccess: false, // forgotten when the job exists
			onProgress: watcher.onProgress,
			onSuccess: () => watcher.onDone(this.id),
			onError: (thrown) => watcher.onError(explain(thrown))
		});
	}

	get id(): string {
		return idOf(this.#upload.url ?? '');
	}

	async start(): Promise<void> {
		if (this.remember && !this.#upload.url) {
			const [latest] = (await this.#upload.findPreviousUploads()).sort((a, b) => b.creationTime.localeCompare(a.creationTime));
			if (latest) this.#upload.resumeFromPreviousUpload(latest);
		}
		this.#upload.start();
	}

	async pause(): Promise<void> {
		await this.#upload.abort();
	}

	/** Stops the upload and deletes its data on the server. */
	async cancel(): Promise<void> {
		const id = this.id;
		await this.#upload.abort();
		if (id) await forgetUpload(id, true);
	}
}

/** Uploads a small file in one request, without a localStorage entry; returns the upload's id. */
export function uploadSmall(file: File): Promise<string> {
	return new Promise((resolve, reject) => {
		const upload = new Upload(file, {
			endpoint: endpoint(),
			retryDelays: [0, 1000, 3000],
			storeFingerprintForResuming: false,
			metadata: { filename: file.name, filetype: file.type },
			onSuccess: () => resolve(idOf(upload.url ?? '')),
			onError: (thrown) => reject(explain(thrown))
		});
		upload.start();
	});
}

/** Another AutoDubber below another path of the same site shares localStorage; its uploads are ignored. */
const isOurs = (url: string) => new URL(url, location.href).pathname.startsWith(`${endpoint()}/`);

const remembered = async (): Promise<PreviousUpload[]> =>
	((await defaultOptions.urlStorage?.findAllUploads()) ?? []).filter((upload) => upload.uploadUrl && isOurs(upload.uploadUrl));

/** What earlier visits began and did not turn into a job. */
export async function rememberedUploads(): Promise<Remembered[]> {
	return (await remembered()).map((upload) => ({
		key: upload.urlStorageKey,
		id: idOf(upload.uploadUrl ?? ''),
		name: upload.metadata.filename ?? 'file',
		size_bytes: upload.size ?? 0,
		began_at: new Date(upload.creationTime)
	}));
}

/** How many bytes of an upload the server has; null when it does not exist there. */
export async function uploadOffset(id: string): Promise<number | null> {
	const response = await tus('HEAD', id);
	if (response.status === 404 || response.status === 410) return null;
	if (!response.ok) throw toApiError(null, response.status);
	return Number(response.headers.get('Upload-Offset'));
}

/** Forgets an upload here, and on the server too if asked. */
export async function forgetUpload(id: string, onServer: boolean): Promise<void> {
	for (const upload of await remembered()) {
		if (idOf(upload.uploadUrl ?? '') === id) await defaultOptions.urlStorage?.removeUpload(upload.urlStorageKey);
	}
	if (!onServer) return;
	const response = await tus('DELETE', id);
	if (!response.ok && response.status !== 404 && response.status !== 410) throw toApiError(null, response.status);
}

async function tus(method: 'HEAD' | 'DELETE', id: string): Promise<Response> {
	try {
		return await fetch(`${endpoint()}/${id}`, { method, headers: { 'Tus-Resumable': '1.0.0' } });
	} catch {
		throw unreachable();
	}
}
