import { describe, expect, it } from 'vitest';
import { glossarySummary, withTerms } from './glossary';

describe('a glossary', () => {
	it('says how many terms it has and which', () => {
		expect(glossarySummary([])).toBe('Names and terms, and how they are spoken');
		expect(glossarySummary([{ term: 'Ada' }])).toBe('1 term: Ada');
	});
	it('takes others, each term once', () => {
		expect(withTerms([{ term: 'Ada' }, { term: 'GIF' }], [{ term: 'Ada', say: 'Eyda' }, { term: 'New' }])).toEqual([{ term: 'Ada', say: 'Eyda' }, { term: 'GIF' }, { term: 'New' }]);
	});
});
