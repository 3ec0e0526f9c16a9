import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job, JobPatch } from '$lib/api/types';
import { merged } from '$lib/format/options';
import { JobStore } from './job.svelte';

const row = (options: Partial<Job['options']>) => ({ id: 'job', state: 'review', revision: 1, choices_revision: 1, artifacts: [], options }) as unknown as Job;

describe('the options of a job', () => {
	let store: JobStore;
	let saved: Job['options'];
	/** Changes that wait for their answer, oldest first. */
	let waiting: { patch: JobPatch; answer: (status?: number) => void }[];

	beforeEach(() => {
		saved = { voices: { speed: 1 }, mix: { keep_db: 0 } } as unknown as Job['options'];
		waiting = [];
		vi.stubGlobal('fetch', async (request: Request) => {
			if (request.method === 'GET') return Response.json({});
			const patch = (await request.json()) as JobPatch;
			const status = await new Promise<number>((resolve) => waiting.push({ patch, answer: (code = 200) => resolve(code) }));
			if (status !== 200) return Response.json({ code: 'no', title: 'No.', detail: '', hint: '', status }, { status });
			saved = merged(saved, patch.options ?? {});
			return Response.json(row(saved));
		});
		store = new JobStore('job');
		store.handle({ type: 'snapshot', job_id: 'job', seq: 1, job: row(saved), segments: [] });
	});
	afterEach(() => vi.unstubAllGlobals());

	const asked = (count: number) => vi.waitFor(() => expect(waiting).toHaveLength(count));
	const keep_db = () => store.job?.options.mix.keep_db;

	it('are shown at once, never step back, and are saved in their order', async () => {
		const changes = [-1, -2, -3].map((db) => store.update({ options: { mix: { keep_db: db } } }));
		expect(keep_db()).toBe(-3);
		for (const [index, change] of changes.entries()) {
			await asked(index + 1);
			waiting[index]!.answer();
			await change;
			expect(keep_db()).toBe(-3);
		}
		expect(waiting.map(({ patch }) => patch.options?.mix?.keep_db)).toEqual([-1, -2, -3]);
		expect(saved.mix.keep_db).toBe(-3);
	});

	it('are what the server has after a refusal, and the next change still goes out', async () => {
		const refused = store.update({ options: { mix: { keep_db: 99 } } });
		const taken = store.update({ options: { voices: { speed: 1.1 } } });
		await asked(1);
		waiting[0]!.answer(422);
		await expect(refused).rejects.toThrow('No.');
		expect(store.job?.options).toMatchObject({ mix: { keep_db: 0 }, voices: { speed: 1.1 } });
		await asked(2);
		waiting[1]!.answer();
		await taken;
		expect(store.job?.options).toMatchObject({ mix: { keep_db: 0 }, voices: { speed: 1.1 } });
	});
});
