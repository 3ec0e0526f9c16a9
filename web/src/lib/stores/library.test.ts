import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job, JobSummary } from '$lib/api/types';
import { LibraryStore } from './library.svelte';

const job = (id: string, created_at: number, changes: Partial<JobSummary> = {}) => ({ id, title: id, state: 'preparing', created_at, progress: 0, ...changes }) as JobSummary;
const whole = (id: string, created_at: number, changes: Partial<Job> = {}) =>
	({ ...job(id, created_at), options: { recognition: { recognizer: 'subtitles' } }, artifacts: [], ...changes }) as unknown as Job;
const ids = (library: LibraryStore) => library.shown.map((j) => j.id);

describe('the library', () => {
	let library: LibraryStore;
	beforeEach(() => {
		library = new LibraryStore();
		library.handle({ type: 'library', seq: 1, jobs: [job('old', 1), job('new', 2)], total: 2 });
	});

	it('shows the newest first and takes new jobs as they come', () => {
		library.handle({ type: 'state', job_id: 'newest', seq: 1, job: whole('newest', 3) });
		expect(ids(library)).toEqual(['newest', 'new', 'old']);
	});

	it('shows of a whole job what a list tells', () => {
		const artifacts = [{ kind: 'thumbnail', sha256: 'abc' }] as Job['artifacts'];
		library.handle({ type: 'state', job_id: 'newest', seq: 1, job: whole('newest', 3, { artifacts }) });
		expect(library.shown[0]).toMatchObject({ recognizer: 'subtitles', thumbnail: 'abc', source_gone: false });
		expect(library.shown[0]).not.toHaveProperty('options');
	});

	it('moves with the progress of a job', () => {
		library.handle({ type: 'progress', job_id: 'new', seq: 1, stage: 'transcribe', stage_progress: 0.5, progress: 0.6, eta_s: 12, message: 'model: 1 of 2 MB' });
		expect(library.shown[0]).toMatchObject({ stage: 'transcribe', progress: 0.6, eta_s: 12 });
		expect(library.message(library.shown[0]!)).toBe('model: 1 of 2 MB');
	});

	it('ignores the progress of a job that it does not show', () => {
		library.handle({ type: 'progress', job_id: 'other', seq: 1, stage: 'fit', stage_progress: 0, progress: 0, eta_s: null, message: '' });
		expect(ids(library)).toEqual(['new', 'old']);
	});

	it('drops what was deleted elsewhere', () => {
		library.handle({ type: 'deleted', job_id: 'old', seq: 1 });
		expect(ids(library)).toEqual(['new']);
	});

	it('misses no deletion while the connection was lost', () => {
		library.handle({ type: 'library', seq: 1, jobs: [job('new', 2)], total: 1 });
		expect(ids(library)).toEqual(['new']);
	});

	it('asks again for what it could not get, once the server is back', async () => {
		let full = true;
		vi.stubGlobal('fetch', async () =>
			full
				? Response.json({ code: 'disk_full', title: 'Full.', detail: '', hint: '', status: 507 }, { status: 507 })
				: Response.json({ jobs: [job('newest', 3)], next: null, total: 1 })
		);
		await library.load();
		expect(library.error?.code).toBe('disk_full');
		full = false;
		library.handle({ type: 'library', seq: 1, jobs: [], total: 0 });
		await vi.waitFor(() => expect([library.error, ids(library)]).toEqual([null, ['newest']]));
		vi.unstubAllGlobals();
	});

	it('keeps older pages that the first message does not reach', () => {
		library.handle({ type: 'library', seq: 1, jobs: [job('newest', 3), job('new', 2)], total: 3 });
		expect(ids(library)).toEqual(['newest', 'new', 'old']);
	});

	it('asks the server for what is searched, and a job that changes its state leaves the filter', async () => {
		const asked: string[] = [];
		vi.stubGlobal('fetch', async (request: Request) => {
			asked.push(new URL(request.url).search);
			return Response.json({ jobs: [job('far', 0, { title: 'A far one', state: 'review' })], next: null, total: 1 });
		});
		await library.search('far', 'review');
		expect(asked).toEqual(['?q=far&state=review&limit=50']);
		expect(ids(library)).toEqual(['far']);
		library.handle({ type: 'state', job_id: 'far', seq: 2, job: whole('far', 0, { title: 'A far one', state: 'rendering' }) });
		expect(ids(library)).toEqual([]);
		vi.unstubAllGlobals();
	});
});
