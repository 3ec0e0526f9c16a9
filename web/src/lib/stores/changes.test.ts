import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job, JobPatch } from '$lib/api/types';
import { fieldsOf, valueOf } from '$lib/format/changes';
import { merged } from '$lib/format/options';
import { JobStore } from './job.svelte';

/** A job on a server that refuses as ours does: a field that was changed after the revision in If-Match. */
class Server {
	job = { id: 'job', state: 'review', title: 'Film', revision: 1, choices_revision: 1, has_stem: false, artifacts: [], options: { voices: { speed: 1 }, mix: { keep_db: 0 } } } as unknown as Job;
	requests: { method: string; path: string; ifMatch: string | null; body: JobPatch | null }[] = [];
	#changed: Record<string, number> = {};

	/** Another person's change. */
	set(patch: JobPatch): void {
		const choices_revision = this.job.choices_revision + 1;
		for (const field of fieldsOf(patch)) this.#changed[field] = choices_revision;
		const { options, stem_upload_id, ...others } = patch;
		const has_stem = stem_upload_id === undefined ? this.job.has_stem : stem_upload_id !== null;
		this.job = { ...this.job, ...others, has_stem, choices_revision, options: merged(this.job.options, options ?? {}) };
	}

	async answer(request: Request): Promise<Response> {
		const { pathname } = new URL(request.url);
		if (pathname.endsWith('/segments')) return Response.json({ revision: 1, segments: [] });
		if (request.method === 'GET') return Response.json(this.job);
		const ifMatch = request.headers.get('If-Match');
		const body = request.method === 'PATCH' ? ((await request.json()) as JobPatch) : null;
		this.requests.push({ method: request.method, path: pathname, ifMatch, body });
		const seen = Number(ifMatch?.replaceAll('"', ''));
		const fields = body ? fieldsOf(body).filter((field) => valueOf(field, body) !== valueOf(field, this.job)) : Object.keys(this.#changed);
		const changed = fields.filter((field) => (this.#changed[field] ?? 1) > seen).map((field) => ({ field, now: valueOf(field, this.job) }));
		if (changed.length) {
			const problem = { code: 'job_changed', status: 412, title: 'Changed.', detail: '', hint: 'Look.', changed, choices_revision: this.job.choices_revision };
			return Response.json(problem, { status: 412 });
		}
		if (body) this.set(body);
		return Response.json(this.job);
	}
}

describe('a change of a job that others change too', () => {
	let server: Server;
	let store: JobStore;

	beforeEach(() => {
		server = new Server();
		vi.stubGlobal('fetch', (request: Request) => server.answer(request));
		store = new JobStore('job');
		store.handle({ type: 'snapshot', job_id: 'job', seq: 1, job: server.job, segments: [] });
	});
	afterEach(() => vi.unstubAllGlobals());

	const speed = (value: number): JobPatch => ({ options: { voices: { speed: value } } });
	const conflict = () => store.changes.conflicts[0]!;
	const conflicts = (count: number) => vi.waitFor(() => expect(store.changes.conflicts).toHaveLength(count));

	it('names what it was made for, and is merged with changes of other fields', async () => {
		server.set({ title: 'Theirs' });
		expect(await store.update(speed(1.1))).toBe(true);
		expect(server.requests[0]).toMatchObject({ method: 'PATCH', ifMatch: '"1"' });
		expect(store.job).toMatchObject({ title: 'Theirs', options: { voices: { speed: 1.1 } }, choices_revision: 3 });
		expect(store.changes.conflicts).toEqual([]);
	});

	it('is kept and not saved when the same field was changed, until the person decides', async () => {
		server.set(speed(1.2));
		const saved = store.update(speed(0.9));
		await conflicts(1);
		expect(conflict().clashes).toEqual([{ field: 'options.voices.speed', mine: 0.9, theirs: 1.2 }]);
		expect(store.job?.options.voices.speed).toBe(0.9);
		expect(server.job.options.voices.speed).toBe(1.2);
		await store.changes.keepMine(conflict());
		expect(await saved).toBe(true);
		expect(server.job.options.voices.speed).toBe(0.9);
		expect(server.requests.map(({ ifMatch }) => ifMatch)).toEqual(['"1"', '"2"']);
		expect(store.changes.conflicts).toEqual([]);
	});

	it("gives way to the other's when the person takes it", async () => {
		server.set({ title: 'Theirs' });
		const saved = store.update({ title: 'Mine' });
		await conflicts(1);
		await vi.waitFor(() => expect(store.job?.title).toBe('Theirs')); // without an event: it is read again
		store.changes.takeTheirs(conflict());
		expect(await saved).toBe(false);
		expect(server.job.title).toBe('Theirs');
		expect(store.changes.conflicts).toEqual([]);
	});

	it('asks again when others have changed the field once more', async () => {
		server.set(speed(1.2));
		void store.update(speed(0.9));
		await conflicts(1);
		server.set(speed(1.15));
		void store.changes.keepMine(conflict());
		await vi.waitFor(() => expect(store.changes.conflicts[0]?.clashes[0]?.theirs).toBe(1.15));
		expect(server.job.options.voices.speed).toBe(1.15);
	});

	it('does not clash with an earlier change of its own that is still on its way', async () => {
		const saved = [0.8, 0.9, 1.1].map((value) => store.update(speed(value)));
		expect(await Promise.all(saved)).toEqual([true, true, true]);
		expect(server.job).toMatchObject({ options: { voices: { speed: 1.1 } }, choices_revision: 4 });
		expect(store.changes.conflicts).toEqual([]);
	});

	it('does not clash when the other has changed a field and changed it back', async () => {
		server.set(speed(1.2));
		server.set(speed(1));
		expect(await store.update(speed(0.9))).toBe(true);
	});

	it('is made for what was shown when the person began', async () => {
		const seen = store.job;
		server.set({ title: 'Theirs' });
		store.handle({ type: 'state', job_id: 'job', seq: 2, job: server.job });
		void store.update({ title: 'Mine' }, seen);
		await conflicts(1);
		expect(server.job.title).toBe('Theirs');
	});

	it('replaces an open conflict about the same field', async () => {
		server.set(speed(1.2));
		const first = store.update(speed(0.9));
		await conflicts(1);
		await vi.waitFor(() => expect(store.job?.choices_revision).toBe(2));
		expect(await store.update(speed(1.1))).toBe(true);
		expect(await first).toBe(false);
		expect(store.changes.conflicts).toEqual([]);
		expect(server.job.options.voices.speed).toBe(1.1);
	});

	it('never steps back when an older event comes late', () => {
		const older = server.job;
		server.set({ title: 'Newer' });
		store.handle({ type: 'state', job_id: 'job', seq: 2, job: server.job });
		store.handle({ type: 'state', job_id: 'job', seq: 3, job: { ...older, state: 'queued' } });
		expect(store.job).toMatchObject({ title: 'Newer', choices_revision: 2, state: 'queued' });
	});

	it('stops a render of other options than those shown, in plain words', async () => {
		server.set(speed(1.2));
		await expect(store.steer('approve')).rejects.toThrow('This was changed elsewhere just now. Speed: 1.20×.');
		expect(server.requests.at(-1)).toMatchObject({ path: '/api/jobs/job/approve', ifMatch: '"1"' });
		await vi.waitFor(() => expect(store.job?.options.voices.speed).toBe(1.2));
		await store.steer('approve');
	});
});
