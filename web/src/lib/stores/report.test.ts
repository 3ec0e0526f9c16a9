import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Job, LineReport, Report, Segment } from '$lib/api/types';
import { LineFilter } from './filter.svelte';
import { Line } from './line.svelte';
import { outdated, ReportStore } from './report.svelte';

const segment = (id: string, changes: Partial<Segment> = {}): Segment => ({
	id, start_s: 2, end_s: 4, text: `Line ${id}.`, source_text: '', speaker: '', skip: false, words: [], start_locked: false, locked_rate: null, ...changes
});
const told = (id: string, changes: Partial<LineReport> = {}): LineReport => ({
	segment_id: id, text: `Line ${id}.`, start_s: 2, placed_s: 2.3, offset_s: 0.3, duration_s: 1.5, rate: 1.18, characters_per_s: 17, flags: [], ...changes
});
const job = (sha256: string | null) => ({ artifacts: sha256 ? [{ kind: 'report', sha256 }] : [] }) as unknown as Job;

afterEach(() => vi.unstubAllGlobals());

describe('the report of a render', () => {
	const serve = (...answers: (() => Response)[]) => {
		const fetch = vi.fn(async () => (answers.length > 1 ? answers.shift()! : answers[0]!)());
		vi.stubGlobal('fetch', fetch);
		return fetch;
	};
	const report = (...lines: LineReport[]) => () => Response.json({ lines } as Partial<Report>);
	const problem = (status: number) => () =>
		Response.json({ type: '', title: 'No.', status, code: 'no', detail: '', hint: '', instance: '', request_id: '' }, { status });

	it('is read once for each render', async () => {
		const fetch = serve(report(told('a', { flags: ['shorten'] }), told('b', { flags: ['late', 'shorten'] })), report(told('a')));
		const store = new ReportStore('job');
		await store.follow(job(null));
		expect(fetch).not.toHaveBeenCalled();
		await store.follow(job('one'));
		await store.follow(job('one'));
		expect(fetch).toHaveBeenCalledTimes(1);
		expect(store.flagged('shorten')).toEqual(['a', 'b']);
		expect(store.of(new Line(segment('b')))?.rate).toBe(1.18);
		await store.follow(job('two'));
		expect(store.flagged('shorten')).toEqual([]);
		expect(store.of(new Line(segment('b')))).toBeNull();
	});

	it('that is not there is none, and no error', async () => {
		serve(problem(404));
		const store = new ReportStore('job');
		await store.follow(job('one'));
		expect(store.report).toBeNull();
	});

	it('that could not be read is asked for again', async () => {
		serve(problem(500), report(told('a')));
		const store = new ReportStore('job');
		await expect(store.follow(job('one'))).rejects.toThrow('No.');
		await store.follow(job('one'));
		expect(store.report?.lines).toHaveLength(1);
	});

	it('that comes after a newer one is not shown', async () => {
		let answer: (response: Response) => void = () => {};
		const slow = new Promise<Response>((resolve) => (answer = resolve));
		const answers = [slow, Promise.resolve(report(told('new'))())];
		vi.stubGlobal('fetch', () => answers.shift());
		const store = new ReportStore('job');
		const first = store.follow(job('one'));
		await store.follow(job('two'));
		answer(report(told('old'))());
		await first;
		expect(store.report?.lines[0]?.segment_id).toBe('new');
	});
});

describe('what a report says of a line', () => {
	const cases: [string, Partial<Segment>, Partial<LineReport>, boolean][] = [
		['holds while the line is as it was', {}, {}, false],
		['holds when only spaces were tidied', { text: ' Line  a. ' }, {}, false],
		['is old when the words changed', { text: 'Shorter.' }, {}, true],
		['is old when the line was moved', { start_s: 2.1 }, {}, true],
		['is old when the line is not spoken any more', { skip: true }, {}, true],
		['is old when the start was pinned elsewhere', { start_locked: true }, {}, true],
		['holds for a pinned line that starts where it should', { start_locked: true }, { offset_s: 0 }, false],
		['is old when another speed was chosen', { locked_rate: 1.5 }, {}, true],
		['holds for a line that has the speed that was chosen', { locked_rate: 1.18 }, {}, false]
	];
	it.each(cases)('%s', (_, changes, report, expected) => {
		expect(outdated(new Line(segment('a', changes)), told('a', report))).toBe(expected);
	});
});

describe('the editor’s filter', () => {
	const lines = ['a', 'b', 'c'].map((id) => new Line(segment(id)));
	const shown = (filter: LineFilter) => filter.keeps(lines).map((line) => line.id);

	it('shows all, those with a text, or those that are named', () => {
		const filter = new LineFilter();
		expect(shown(filter)).toEqual(['a', 'b', 'c']);
		filter.text = 'LINE B';
		expect(shown(filter)).toEqual(['b']);
		filter.show('2 lines to shorten', ['a', 'c', 'gone']);
		expect(shown(filter)).toEqual(['a', 'c']);
		filter.text = 'line c';
		expect(shown(filter)).toEqual(['c']);
		filter.clear();
		expect([shown(filter), filter.title]).toEqual([['a', 'b', 'c'], '']);
	});

	it('keeps a line that is being mended', () => {
		const filter = new LineFilter();
		filter.show('1 line to shorten', ['b']);
		lines[1]!.write({ text: 'Short.' });
		expect(shown(filter)).toEqual(['b']);
	});
});
