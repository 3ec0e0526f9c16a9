import { expect, test } from 'vitest';
import { shownName } from './names';

test('a name shows what it is, and turns nothing around it', () => {
	expect(shownName('Film \u202egpj.exe\u2069\u001b[31m')).toBe('Film gpj.exe[31m');
	expect(shownName('Größe 日本語 \u05e9\u200f 👩‍👧.mp4')).toBe('Größe 日本語 \u05e9\u200f 👩‍👧.mp4');
});
