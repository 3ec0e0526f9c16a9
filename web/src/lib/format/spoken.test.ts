import { describe, expect, it } from 'vitest';
import { joinedWords, reason } from './spoken';

describe('what is not spoken', () => {
	it('is said once for each kind', () => {
		const sound = { kind: 'sound' as const, text: '(sighs)' };
		expect(reason([sound])).toBe('a sound description');
		expect(reason([sound, sound, { kind: 'music', text: '♪' }, { kind: 'emoji', text: '😀' }])).toBe('a sound description, music and emoji');
	});
});

describe('short cues', () => {
	it('are counted, and the lines that they became', () => {
		expect(joinedWords(null)).toBe('');
		expect(joinedWords({ cues: 42, lines: 5 })).toBe('42 short cues were joined to 5 lines');
		expect(joinedWords({ cues: 42, lines: 1 })).toBe('42 short cues were joined to 1 line');
	});
});
