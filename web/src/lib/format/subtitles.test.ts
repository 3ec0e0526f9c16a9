import { describe, expect, it } from 'vitest';
import { faultLine, faultWords } from './subtitles';

describe('the faults of a subtitle file', () => {
	it('are counted in words', () => {
		expect(faultWords({ left_out: 0, repaired: 0 })).toBe('');
		expect(faultWords({ left_out: 1, repaired: 0 })).toBe('1 faulty subtitle was left out');
		expect(faultWords({ left_out: 0, repaired: 3 })).toBe('3 faulty subtitles were repaired');
		expect(faultWords({ left_out: 2, repaired: 1 })).toBe('2 faulty subtitles were left out, 1 was repaired');
	});

	it('are named by their line, where it is one', () => {
		expect(faultLine({ line: 6, what: 'the times cannot be read', done: 'left out', left_out: true })).toBe('Line 6: the times cannot be read; left out');
		expect(faultLine({ line: 0, what: '2 cues are after the end', done: 'left out', left_out: true })).toBe('2 cues are after the end; left out');
	});
});
