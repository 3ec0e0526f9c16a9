import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '$lib/api/problems';
import type { CreateJob, Job } from '$lib/api/types';
import type { UploadWatcher } from '$lib/api/uploads';
import { StemUpload } from './stem.svelte';
import { UploadStore } from './uploads.svelte';

const started = vi.hoisted(() => [] as { name: string; watcher: UploadWatcher; cancelled: boolean; remembered: boolean }[]);
const asked = vi.hoisted(() => [] as CreateJob[]);

vi.mock('$lib/api/uploads', () => ({
	FileUpload: class {
		#upload;
		constructor(file: File, _chunk: number, watcher: UploadWatcher, remembered = true) {
			this.#upload = { name: file.name, watcher, cancelled: false, remembered };
		}
		start = async () => void started.push(this.#upload);
		cancel = async () => void (this.#upload.cancelled = true);
	},
	rememberedUploads: async () => [],
	forgetUpload: async () => {}
}));
vi.mock('$lib/api/jobs', () => ({
	createJob: async (body: CreateJob) => {
		asked.push(body);
		return { id: 'job', title: body.upload_id } as Job;
	}
}));

const file = (name: string) => new File(['x'.repeat(100)], name);
const upload = (name: string) => started.findLast((u) => u.name === name)!;
const trouble = new ApiError('unreachable', 0, 'The server does not answer.', '');

beforeEach(() => {
	started.length = asked.length = 0;
});

describe('a background without voices', () => {
	it('is sent at once, with progress, and never offered as an unfinished video', async () => {
		const stem = new StemUpload(file('music.wav'), 1);
		upload('music.wav').watcher.onProgress(40);
		expect([stem.state, stem.progress]).toEqual(['sending', 0.4]);
		expect(upload('music.wav').remembered).toBe(false);
		upload('music.wav').watcher.onDone('id');
		expect(await stem.done).toBe('id');
		expect(stem.state).toBe('there');
	});

	it('that is taken away is deleted on the server, and a late failure says nothing', async () => {
		const stem = new StemUpload(file('music.wav'), 1);
		await stem.cancel();
		upload('music.wav').watcher.onError(trouble);
		expect([stem.state, stem.error, upload('music.wav').cancelled]).toEqual(['cancelled', null, true]);
		await expect(stem.done).rejects.toThrow('cancelled');
	});
});

describe('the background of a new video', () => {
	let uploads: UploadStore;
	beforeEach(() => {
		uploads = new UploadStore();
	});

	it('goes with the next video only, whose job waits for it', async () => {
		await uploads.bringStem(file('music.wav'));
		expect(uploads.busy).toBe(true);
		uploads.add([file('one.mp4')]);
		uploads.add([file('two.mp4')]);
		expect(uploads.stem).toBeNull();
		upload('one.mp4').watcher.onDone('one');
		upload('two.mp4').watcher.onDone('two');
		await vi.waitFor(() => expect(asked).toEqual([{ upload_id: 'two', options: {}, subtitles_upload_id: null, stem_upload_id: null }]));
		upload('music.wav').watcher.onDone('music');
		await vi.waitFor(() => expect(asked[1]).toMatchObject({ upload_id: 'one', stem_upload_id: 'music' }));
	});

	it('is replaced by another one, and the first is deleted', async () => {
		await uploads.bringStem(file('wrong.wav'));
		await uploads.bringStem(file('right.wav'));
		expect(upload('wrong.wav').cancelled).toBe(true);
		expect(uploads.stem?.file.name).toBe('right.wav');
		await uploads.bringStem(null);
		expect([uploads.stem, upload('right.wav').cancelled]).toEqual([null, true]);
	});

	it('that failed is sent again when the person tries again', async () => {
		await uploads.bringStem(file('music.wav'));
		uploads.add([file('film.mp4')]);
		upload('film.mp4').watcher.onDone('film');
		upload('music.wav').watcher.onError(trouble);
		const item = uploads.sending[0]!;
		await vi.waitFor(() => expect(item.state).toBe('failed'));
		expect(asked).toEqual([]);
		const again = uploads.resume(item);
		upload('music.wav').watcher.onDone('music');
		await again;
		expect(asked).toEqual([{ upload_id: 'film', options: {}, subtitles_upload_id: null, stem_upload_id: 'music' }]);
	});
});
