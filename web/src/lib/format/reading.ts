/** How hard a line is to speak in its time. Voices say 15-18 characters a second; beyond 24 one must rush, and the line should be shorter. */
export type Pace = 'easy' | 'fast' | 'too-fast';

const FAST_CPS = 20;
const TOO_FAST_CPS = 24;

const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu;

/** Characters a second; a Chinese, Japanese or Korean character takes about as long to say as two and a half letters. */
export function charactersPerSecond(text: string, duration_s: number): number {
	const spoken = text.trim();
	if (!spoken || duration_s <= 0) return 0;
	const wide = spoken.match(WIDE)?.length ?? 0;
	return ([...spoken].length + wide * 1.5) / duration_s;
}

export function pace(cps: number): Pace {
	if (cps > TOO_FAST_CPS) return 'too-fast';
	return cps > FAST_CPS ? 'fast' : 'easy';
}

/** By how many characters a line that must rush should be shorter; 0 when it need not. */
export function charactersOver(text: string, duration_s: number): number {
	const cps = charactersPerSecond(text, duration_s);
	return cps > TOO_FAST_CPS ? Math.ceil([...text.trim()].length * (1 - FAST_CPS / cps)) : 0;
}
