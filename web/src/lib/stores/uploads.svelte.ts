import { createJob } from '$lib/api/jobs';
import { asApiError, type ApiError } from '$lib/api/problems';
import type { Job, LanguageNew, OptionsPatch } from '$lib/api/types';
import { merged } from '$lib/format/options';
import { FileUpload, forgetUpload, rememberedUploads, uploadOffset, uploadSmall, type Remembered } from '$lib/api/uploads';
import { SpeedMeter } from '$lib/format/speed';
import { StemUpload } from './stem.svelte';

export type UploadState = 'waiting' | 'sending' | 'paused' | 'creating' | 'failed';

const SUBTITLES = /\.(srt|vtt|ass|ssa)$/i;
export const isSubtitles = (file: File) => SUBTITLES.test(file.name);
const base = (name: string) => name.replace(/\.[^.]+$/, '').toLowerCase();
const MIB = 1 << 20;
/** Files sent at once; the browser's other connections stay free for the page. */
const AT_ONCE = 2;

/** One file on its way to becoming a job. */
export class Sending {
	state = $state<UploadState>('waiting');
	sent_bytes = $state(0);
	bytes_per_s = $state(0);
	error = $state.raw<ApiError | null>(null);
	readonly progress = $derived.by(() => (this.file.size ? this.sent_bytes / this.file.size : 0));
	readonly eta_s = $derived.by(() => (this.bytes_per_s > 0 ? (this.file.size - this.sent_bytes) / this.bytes_per_s : null));
	upload_id = '';
	#meter = new SpeedMeter();

	constructor(
		readonly id: number,
		readonly file: File,
		readonly subtitles: File | null,
		/** Its encoding; null: the server guesses. */
		readonly encoding: string | null,
		public stem: StemUpload | null
	) {}

	sent(total_bytes: number): void {
		this.sent_bytes = total_bytes;
		this.bytes_per_s = this.#meter.mark(total_bytes, performance.now() / 1000);
	}

	rest(): void {
		this.#meter = new SpeedMeter();
		this.bytes_per_s = 0;
	}
}

/** An upload from an earlier visit: it waits for its file, or, if complete, for its job. */
export interface Unfinished extends Remembered {
	sent_bytes: number;
}

/** Files being uploaded, and those that an earlier visit left unfinished. Every finished upload becomes a job. */
export class UploadStore {
	#sending = $state.raw<Sending[]>([]);
	#unfinished = $state.raw<Unfinished[]>([]);
	#uploads = new Map<Sending, FileUpload>();
	#ids = 1;
	chunk_bytes = 50 * MIB;
	/** The options that the next job gets; the page's form writes them. */
	options = $state.raw<OptionsPatch>({});
	/** Languages beside that of the options, where a translator makes them. */
	languages = $state.raw<string[]>([]);
		#subtitles = $state.raw<File | null>(null);
	/** The encoding that was chosen for it; null: the server guesses. */
	encoding = $state.raw<string | null>(null);
	#stem = $state.raw<StemUpload | null>(null);
	onCreated: (job: Job) => void = () => {};

	get sending(): readonly Sending[] {
		return this.#sending;
	}

	get unfinished(): readonly Unfinished[] {
		return this.#unfinished.filter((u) => !this.#sending.some((s) => s.upload_id === u.id || (s.file.name === u.name && s.file.size === u.size_bytes)));
	}

	/** The music and effects track for the next video; its upload starts at once. */
	get stem(): StemUpload | null {
		return this.#stem;
	}

	/** A subtitle file that goes with the next video. */
	get subtitles(): File | null {
		return this.#subtitles;
	}

	set subtitles(file: File | null) {
		if (file !== this.#subtitles) this.encoding = null; // it was chosen for the other file
		this.#subtitles = file;
	}

	get busy(): boolean {
		return this.#stem?.state === 'sending' || this.#sending.some((s) => s.state === 'waiting' || s.state === 'sending' || s.state === 'creating');
	}

	/** Adds dropped files: videos are uploaded, a subtitle file goes with the video of the same name, or the only one. */
	add(files: File[]): void {
		const texts = files.filter(isSubtitles);
		const videos = files.filter((file) => !isSubtitles(file));
		if (!videos.length) {
			this.subtitles = texts[0] ?? this.subtitles;
			return;
		}
		for (const video of videos) {
			const paired = texts.find((text) => base(text.name).startsWith(base(video.name)));
			const brought = paired ?? (videos.length === 1 ? (texts[0] ?? this.subtitles) : null);
			const encoding = brought === this.subtitles ? this.encoding : null;
			if (brought && brought === this.subtitles) this.subtitles = null;
			this.#begin(new Sending(this.#ids++, video, brought, encoding, this.#stem));
			this.#stem = null; // it belongs to one video
		}
	}

	/** Sets the music and effects track for the next video; replaces an earlier one. */
	async bringStem(file: File | null): Promise<void> {
		const before = this.#stem;
		this.#stem = file && new StemUpload(file, this.chunk_bytes);
		await before?.cancel();
	}

	/** Finds unfinished uploads of earlier visits; those that the server no longer has are removed. */
	async recall(): Promise<void> {
		const found: Unfinished[] = [];
		for (const upload of await rememberedUploads()) {
			const sent_bytes = await uploadOffset(upload.id);
			if (sent_bytes === null) await forgetUpload(upload.id, false);
			else found.push({ ...upload, sent_bytes });
		}
		this.#unfinished = found;
	}

	async pause(item: Sending): Promise<void> {
		item.state = 'paused';
		item.rest();
		await this.#uploads.get(item)?.pause();
		this.#next();
	}

	/** Goes on after a pause or a failure, from where the server is. */
	async resume(item: Sending): Promise<void> {
		item.error = null;
		if (item.stem?.state === 'failed') item.stem = new StemUpload(item.stem.file, this.chunk_bytes);
		if (item.upload_id) return this.#create(item);
		item.state = 'waiting';
		this.#next();
	}

	async cancel(item: Sending): Promise<void> {
		const upload = this.#uploads.get(item);
		this.#forget(item);
		await Promise.all([upload?.cancel(), item.stem?.cancel()]);
		await this.recall();
	}

	/** Creates the job of a complete upload; the file is not needed. */
	async finish(upload: Unfinished): Promise<void> {
		const job = await createJob({ upload_id: upload.id, options: this.options, ...this.#further });
		await this.#made(upload.id, job);
	}

	async discard(upload: Unfinished): Promise<void> {
		await forgetUpload(upload.id, true);
		this.#unfinished = this.#unfinished.filter((u) => u.id !== upload.id);
	}

	#begin(item: Sending): void {
		const upload = new FileUpload(item.file, this.chunk_bytes, {
			onProgress: (sent_bytes) => item.sent(sent_bytes),
			onDone: (id) => {
				item.upload_id = id;
				void this.#create(item);
			},
			onError: (error) => this.#fail(item, error)
		});
		this.#uploads.set(item, upload);
		this.#sending = [...this.#sending, item];
		this.#next();
	}

	/** Starts waiting uploads, up to the limit. */
	#next(): void {
		const busy = this.#sending.filter((item) => item.state === 'sending').length;
		for (const item of this.#sending.filter((other) => other.state === 'waiting').slice(0, Math.max(0, AT_ONCE - busy))) {
			item.state = 'sending';
			item.rest();
			this.#uploads.get(item)?.start().catch((thrown: unknown) => this.#fail(item, asApiError(thrown)));
		}
	}

	async #create(item: Sending): Promise<void> {
		item.state = 'creating';
		item.rest();
		this.#next();
		try {
			const subtitles_upload_id = item.subtitles ? await uploadSmall(item.subtitles) : null;
			const stem_upload_id = item.stem ? await item.stem.done : null;
			const options: OptionsPatch = subtitles_upload_id
				? merged(this.options, { recognition: { recognizer: 'subtitles', ...(item.encoding && { subtitle_encoding: item.encoding }) } })
				: this.options;
			const job = await createJob({ upload_id: item.upload_id, options, subtitles_upload_id, stem_upload_id, ...this.#further });
			this.#forget(item);
			await this.#made(item.upload_id, job);
		} catch (thrown) {
			this.#fail(item, asApiError(thrown));
		}
	}

	get #further(): { languages?: LanguageNew[] } {
		return this.languages.length ? { languages: this.languages.map((language) => ({ language })) } : {};
	}

	async #made(upload_id: string, job: Job): Promise<void> {
		await forgetUpload(upload_id, false);
		this.#unfinished = this.#unfinished.filter((u) => u.id !== upload_id);
		this.onCreated(job);
	}

	#fail(item: Sending, error: ApiError): void {
		item.state = 'failed';
		item.error = error;
		item.rest();
		this.#next();
	}

	#forget(item: Sending): void {
		this.#uploads.delete(item);
		this.#sending = this.#sending.filter((other) => other !== item);
		this.#next();
	}
}

export const uploads = new UploadStore();
