import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { CreateJob, Job } from '$lib/api/types';
import type { UploadWatcher } from '$lib/api/uploads';
import { UploadStore } from './uploads.svelte';

/** Uploads whose progress the test decides. */
const started = vi.hoisted(() => [] as { name: string; watcher: UploadWatcher; cancelled: boolean }[]);
const asked = vi.hoisted(() => [] as CreateJob[]);
const refuse = vi.hoisted(() => ({ next: null as Error | null }));

vi.mock('$lib/api/uploads', () => ({
	FileUpload: class {
		#upload;
		constructor(file: File, _chunk: number, watcher: UploadWatcher) {
			this.#upload = { name: file.name, watcher, cancelled: false };
		}
		start = async () => void started.push(this.#upload);
		pause = async () => {};
		cancel = async () => void (this.#upload.cancelled = true);
	},
	uploadSmall: async (file: File) => `id of ${file.name}`,
	rememberedUploads: async () => [],
	uploadOffset: async () => 0,
	forgetUpload: async () => {}
}));
vi.mock('$lib/api/jobs', () => ({
	createJob: async (body: CreateJob) => {
		asked.push(body);
		if (refuse.next) throw refuse.next;
		return { id: 'job', title: body.upload_id } as Job;
	}
}));

const file = (name: string) => new File(['x'.repeat(100)], name);
const names = () => started.map((upload) => upload.name);
const done = async (name: string) => {
	started.find((upload) => upload.name === name)?.watcher.onDone(`id of ${name}`);
	await vi.waitFor(() => expect(asked.map((body) => body.upload_id)).toContain(`id of ${name}`));
};

describe('uploads', () => {
	let uploads: UploadStore;
	beforeEach(() => {
		started.length = asked.length = 0;
		refuse.next = null;
		uploads = new UploadStore();
	});

	it('go two at a time, the next when one is through or paused', async () => {
		uploads.add(['a', 'b', 'c', 'd'].map((name) => file(`${name}.mp4`)));
		expect(names()).toEqual(['a.mp4', 'b.mp4']);
		await done('a.mp4');
		expect(names()).toEqual(['a.mp4', 'b.mp4', 'c.mp4']);
		await uploads.pause(uploads.sending.find((item) => item.file.name === 'b.mp4')!);
		expect(names()).toEqual(['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4']);
	});

	it('become jobs with the options that are chosen when they are through', async () => {
		const made: string[] = [];
		uploads.onCreated = (job) => made.push(job.title);
		uploads.add([file('film.mp4')]);
		uploads.options = { voices: { speed: 0.9 } };
		await done('film.mp4');
		expect(asked).toEqual([{ upload_id: 'id of film.mp4', options: { voices: { speed: 0.9 } }, subtitles_upload_id: null, stem_upload_id: null }]);
		await vi.waitFor(() => expect(made).toEqual(['id of film.mp4']));
		expect(uploads.sending).toEqual([]);
	});

	it('become one job with the further languages that are chosen', async () => {
		uploads.languages = ['fr', 'de'];
		uploads.add([file('film.mp4')]);
		await done('film.mp4');
		expect(asked.map((body) => body.languages)).toEqual([[{ language: 'fr' }, { language: 'de' }]]);
		uploads.languages = [];
	});

	it('take the subtitles of the same name along, each video its own', async () => {
		uploads.add([file('two.en.srt'), file('one.mp4'), file('one.vtt'), file('two.mkv')]);
		await done('one.mp4');
		await done('two.mkv');
		expect(asked.map((body) => [body.upload_id, body.subtitles_upload_id])).toEqual([
			['id of one.mp4', 'id of one.vtt'],
			['id of two.mkv', 'id of two.en.srt']
		]);
	});

	it('send the encoding that was chosen for subtitles with them, and with no others', async () => {
		uploads.add([file('old.srt')]);
		uploads.encoding = 'cp1250';
		uploads.add([file('old.mp4')]);
		expect(uploads.encoding).toBe(null);
		await done('old.mp4');
		uploads.add([file('other.srt')]);
		uploads.encoding = 'cp1251';
		uploads.add([file('another.srt')]);
		expect(uploads.encoding).toBe(null);
		uploads.add([file('another.mp4')]);
		await done('another.mp4');
		expect(asked.map((body) => body.options)).toEqual([{ recognition: { recognizer: 'subtitles', subtitle_encoding: 'cp1250' } }, { recognition: { recognizer: 'subtitles' } }]);
	});

	it('keep subtitles that came alone for the next video, and only for that', async () => {
		uploads.add([file('late.srt')]);
		expect(started).toEqual([]);
		uploads.add([file('first.mp4')]);
		uploads.add([file('second.mp4')]);
		await done('first.mp4');
		await done('second.mp4');
		expect(asked.map((body) => body.subtitles_upload_id)).toEqual(['id of late.srt', null]);
	});

	it('that are through but refused can be tried again without sending them again', async () => {
		refuse.next = new Error('disk full');
		uploads.add([file('film.mp4')]);
		await done('film.mp4');
		const item = uploads.sending[0]!;
		await vi.waitFor(() => expect(item.state).toBe('failed'));
		refuse.next = null;
		await uploads.resume(item);
		expect(started).toHaveLength(1);
		expect(asked).toHaveLength(2);
		expect(uploads.sending).toEqual([]);
	});

	it('are deleted on the server when they are cancelled', async () => {
		uploads.add([file('film.mp4')]);
		await uploads.cancel(uploads.sending[0]!);
		expect(started[0]?.cancelled).toBe(true);
		expect(uploads.sending).toEqual([]);
	});
});
