import { describe, expect, it } from 'vitest';
import type { Job } from '$lib/api/types';
import { doing, steps } from './stages';

const job = (changes: Partial<Job>, options: Partial<Job['options']> = {}) =>
	({ state: 'queued', phase: 'prepare', stage: null, stage_progress: 0, error: null, options: { review: true, recognizer: 'openai-whisper', ...options }, ...changes }) as Job;
const states = (...args: Parameters<typeof job>) => steps(job(...args)).map((s) => s.state).join(' ');

describe('the stage bar', () => {
	it('shows what is done, what runs and what is to come', () => {
		expect(states({ state: 'preparing', stage: 'transcribe', stage_progress: 0.4 })).toBe('done done active waiting waiting waiting waiting waiting');
		expect(steps(job({ state: 'preparing', stage: 'transcribe', stage_progress: 0.4 }))[2]?.progress).toBe(0.4);
	});

	it('waits for the person at the review', () => {
		const review = steps(job({ state: 'review' }))[3];
		expect(review).toMatchObject({ state: 'active', yours: true });
	});

	it('names a review that is switched off as skipped', () => {
		expect(states({ state: 'rendering', phase: 'render', stage: 'fit' }, { review: false })).toBe('done done done skipped done active waiting waiting');
	});

	it('marks the stage that failed, also when the row names another', () => {
		const error = { code: 'model_download', message: '', hint: '', stage: 'transcribe' as const };
		expect(states({ state: 'failed', stage: 'ingest', error })).toBe('done done failed waiting waiting waiting waiting waiting');
	});

	it('keeps the preparation done while the rendering waits or was stopped', () => {
		expect(states({ state: 'queued', phase: 'render' })).toBe('done done done done waiting waiting waiting waiting');
		expect(states({ state: 'cancelled', phase: 'render', stage: 'mix' })).toBe('done done done done done done stopped waiting');
	});

	it('is all done at the end', () => {
		expect(new Set(states({ state: 'completed', phase: 'render' }).split(' '))).toEqual(new Set(['done']));
	});
});

describe('what a job does', () => {
	it('is its stage while it runs, its state otherwise', () => {
		expect(doing(job({ state: 'rendering', phase: 'render', stage: 'synthesize' }))).toBe('Speak');
		expect(doing(job({ state: 'queued' }))).toBe('Waiting');
		expect(doing(job({ state: 'review' }))).toBe('Ready to review');
	});
});
