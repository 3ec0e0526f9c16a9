import type { Job, LeftOut } from '$lib/api/types';
import { count } from './numbers';

/** What may become of subtitles that are too short to be spoken one by one. */
export const JOINING: { value: Job['options']['recognition']['join_short_cues']; name: string; help: string }[] = [
	{ value: 'auto', name: 'Join them if the file needs it', help: 'A file with one word a cue becomes sentences; other files stay as they are.' },
	{ value: 'on', name: 'Always join into sentences', help: 'Every line goes to the end of its sentence, at most 12 s.' },
	{ value: 'off', name: 'Never join', help: 'Every cue is spoken by itself.' }
];

const KINDS: Record<LeftOut['kind'], string> = {
	sound: 'a sound description',
	music: 'music',
	label: 'a speaker’s name',
	credit: 'a credit',
	address: 'an address',
	emoji: 'emoji'
};

/** Why nothing of a line is spoken: `a sound description`, `music and emoji`. */
export function reason(left_out: readonly LeftOut[]): string {
	const kinds = [...new Set(left_out.map(({ kind }) => KINDS[kind]))];
	return kinds.length < 2 ? (kinds[0] ?? '') : `${kinds.slice(0, -1).join(', ')} and ${kinds.at(-1)}`;
}

/** `42 short cues were joined to 5 lines`; "" where none were. */
export function joinedWords(joined: Job['joined']): string {
	return joined ? `${count(joined.cues, 'short cue')} ${joined.cues === 1 ? 'was' : 'were'} joined to ${count(joined.lines, 'line')}` : '';
}
