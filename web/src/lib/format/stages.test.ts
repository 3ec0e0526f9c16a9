import { describe, expect, it } from 'vitest';
import type { Job, StageInfo } from '$lib/api/types';
import { doing, steps } from './stages';

const job = (changes: Partial<Job>, recognition: Partial<Job['options']['recognition']> = {}) =>
	({ state: 'queued', phase: 'prepare', stage: null, stage_progress: 0, error: null, options: { recognition: { review: true, recognizer: 'openai-whisper', ...recognition }, translation: { translator: '' }, mix: { separate: 'auto', background: 'duck' } }, ...changes }) as Job;
const STAGES: StageInfo[] = [
	{ name: 'probe', phase: 'prepare', title: 'Check' },
	{ name: 'ingest', phase: 'prepare', title: 'Listen' },
	{ name: 'transcribe', phase: 'prepare', title: 'Transcribe' },
	{ name: 'synthesize', phase: 'render', title: 'Speak' },
	{ name: 'fit', phase: 'render', title: 'Fit' },
	{ name: 'mix', phase: 'render', title: 'Mix' },
	{ name: 'mux', phase: 'render', title: 'Finish' }
];
const states = (...args: Parameters<typeof job>) => steps(job(...args), STAGES).map((s) => s.state).join(' ');

describe('the stage bar', () => {
	it('shows what is done, what runs and what is to come', () => {
		expect(states({ state: 'preparing', stage: 'transcribe', stage_progress: 0.4 })).toBe('done done active waiting waiting waiting waiting waiting');
		expect(steps(job({ state: 'preparing', stage: 'transcribe', stage_progress: 0.4 }), STAGES)[2]?.progress).toBe(0.4);
	});

	it('has the translation only where a translator is chosen', () => {
		const stages: StageInfo[] = [...STAGES.slice(0, 3), { name: 'translate', phase: 'prepare', title: 'Translate' }, ...STAGES.slice(3)];
		const names = (translator: string) => {
			const plain = job({ state: 'review' });
			const options = { ...plain.options, translation: { ...plain.options.translation, translator } };
			return steps({ ...plain, options }, stages).map((s) => s.name);
		};
		expect(names('')).not.toContain('Translate');
		expect(names('ollama').slice(2, 5)).toEqual(['Transcribe', 'Translate', 'Review']);
	});

	it('has the separation only where the old voice is taken out', () => {
		const stages: StageInfo[] = [...STAGES.slice(0, 3), { name: 'separate', phase: 'render', title: 'Separate' }, ...STAGES.slice(3)];
		const has = (mix: Partial<Job['options']['mix']>, canSeparate: boolean, changes: Partial<Job> = {}) => {
			const plain = job({ state: 'review', ...changes });
			const options = { ...plain.options, mix: { ...plain.options.mix, ...mix } };
			return steps({ ...plain, options }, stages, canSeparate).some((s) => s.name === 'Separate');
		};
		expect([has({}, false), has({}, true)]).toEqual([false, true]);
		expect([has({ separate: 'off' }, true), has({ separate: 'on' }, false)]).toEqual([false, true]);
		expect([has({ background: 'keep' }, true), has({ separate: 'on', background: 'keep' }, true)]).toEqual([false, true]);
		expect([has({ separate: 'on', background: 'replace' }, true), has({ separate: 'on' }, true, { has_stem: true })]).toEqual([false, false]);
	});

	it('waits for the person at the review', () => {
		const review = steps(job({ state: 'review' }), STAGES)[3];
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

	it('has a stage that the server has and this page has never heard of', () => {
		const longer = STAGES.toSpliced(3, 0, { name: 'align', phase: 'prepare', title: 'Align' });
		const shown = steps(job({ state: 'preparing', stage: 'align', stage_progress: 0.5 }), longer);
		expect(shown.map((s) => s.name)).toEqual(['Check', 'Listen', 'Transcribe', 'Align', 'Review', 'Speak', 'Fit', 'Mix', 'Finish']);
		expect(shown[3]).toMatchObject({ state: 'active', progress: 0.5 });
		expect(doing(job({ state: 'preparing', stage: 'align' }), longer)).toBe('Align');
	});

	it('shows no steps, but the state, until the server has said which there are', () => {
		expect(steps(job({ state: 'preparing', stage: 'probe' }), [])).toEqual([]);
		expect(doing(job({ state: 'preparing', stage: 'probe' }), [])).toBe('Preparing');
	});

	it('is all done at the end', () => {
		expect(new Set(states({ state: 'completed', phase: 'render' }).split(' '))).toEqual(new Set(['done']));
	});
});

describe('what a job does', () => {
	it('is its stage while it runs, its state otherwise', () => {
		expect(doing(job({ state: 'rendering', phase: 'render', stage: 'synthesize' }), STAGES)).toBe('Speak');
		expect(doing(job({ state: 'queued' }), STAGES)).toBe('Waiting');
		expect(doing(job({ state: 'review' }), STAGES)).toBe('Ready to review');
	});
});
