import type { LineReport, Report } from '$lib/api/types';
import { decibels } from './options';

/** One finding about a render, in words, with its figure. */
export interface Finding {
	id: 'subtitles' | 'joined' | 'left-out' | 'pace' | 'timing' | 'loudness' | 'peak' | 'length' | 'picture';
	good: boolean;
	words: string;
	figure: string;
}

const FAST_RATE = 1.25; // beyond this a voice sounds hurried: the line is flagged
const CALM_RATE = 1.2; // what a shortened line should come to, so that it is not flagged again
const LOUDNESS_OFF_LU = 0.5;
const CEILING_DBTP = -1;
const SAME_LENGTH_S = 0.1;

/** `1.18×` */
export const times = (rate: number) => `${rate.toFixed(2)}×`;

/** `+0.3 s`, `−0.1 s`; "on time" within a twentieth of a second. */
export function offset(offset_s: number): string {
	if (Math.abs(offset_s) < 0.05) return 'on time';
	return `${offset_s < 0 ? '−' : '+'}${Math.abs(offset_s).toFixed(1)} s`;
}

/** By about how many characters a line must be shorter to be spoken calmly; 0 when it need not. */
export function charactersToCut({ text, rate }: Pick<LineReport, 'text' | 'rate'>): number {
	return rate > FAST_RATE ? Math.max(1, Math.ceil([...text.trim()].length * (1 - CALM_RATE / rate))) : 0;
}

function loudness({ loudness_lufs, target_lufs }: Report): Omit<Finding, 'id'> {
	if (loudness_lufs === null) return { good: false, words: 'There is no sound at all', figure: '' };
	const figure = decibels(loudness_lufs, 'LUFS', 1);
	if (target_lufs === null) return { good: true, words: 'Loudness not adjusted', figure };
	const aim = `${figure}, target ${decibels(target_lufs, 'LUFS').replace(' LUFS', '')}`;
	if (Math.abs(loudness_lufs - target_lufs) <= LOUDNESS_OFF_LU) return { good: true, words: 'As loud as asked for', figure: aim };
	return { good: false, words: loudness_lufs < target_lufs ? 'Quieter than asked for' : 'Louder than asked for', figure: aim };
}

function length({ duration_difference_s }: Report): Omit<Finding, 'id'> {
	const off = Math.abs(duration_difference_s);
	const figure = `${duration_difference_s < 0 ? '−' : '+'}${off.toFixed(2)} s`;
	if (off <= SAME_LENGTH_S) return { good: true, words: 'As long as the original', figure };
	return { good: false, words: duration_difference_s < 0 ? 'Shorter than the original' : 'Longer than the original', figure };
}

/** A finding about lines to improve. */
export const ofLines = ({ id, good }: Finding) => !good && (id === 'pace' || id === 'timing');

/** Why a picture without burned subtitles was encoded: what prevented copying it. */
const ENCODED: Record<string, string> = {
	edits: 'Picture encoded: a copy would show what the file cuts out',
	sizes: 'Picture encoded: it changes its size',
	start: 'Picture encoded: it begins between two key pictures'
};

/** The findings about a render, good and bad, in the order in which they are shown. */
export function findings(report: Report): Finding[] {
	const { to_shorten, late, share_over_125, highest_rate, worst_offset_s, true_peak_db, picture, joined, left_out, subtitles } = report;
	const lines = (count: number, what: string) => `${count} ${count === 1 ? 'line' : 'lines'} ${what}`;
	const share = share_over_125 * 100;
	const over = share > 0 && share < 1 ? 'under 1' : share.toFixed(0);
	const found: Finding[] = [
		{
			id: 'pace',
			good: to_shorten === 0,
			words: to_shorten ? lines(to_shorten, 'to shorten') : 'Every line at an easy pace',
			figure: to_shorten ? `${over} % over 1.25×, up to ${times(highest_rate)}` : `up to ${times(highest_rate)}`
		},
		{
			id: 'timing',
			good: late === 0,
			words: late ? lines(late, late === 1 ? 'starts late' : 'start late') : 'Every line starts in time',
			figure: Math.abs(worst_offset_s) < 0.05 ? 'on the spot' : `at most ${offset(worst_offset_s)}`
		},
		{ id: 'loudness', ...loudness(report) }
	];
	if (true_peak_db !== null) {
		const good = true_peak_db <= CEILING_DBTP + 0.1;
		found.push({ id: 'peak', good, words: good ? 'No peak distorts' : 'Peaks may distort', figure: decibels(true_peak_db, 'dBTP', 1) });
	}
	found.push({ id: 'length', ...length(report) });
	if (picture !== null) {
		const copied = picture === 'copied';
		const anew = ENCODED[report.encoded_for ?? ''] ?? 'Picture encoded again with subtitles';
		found.push({ id: 'picture', good: true, words: copied ? 'Picture copied, not touched' : anew, figure: copied ? '' : picture });
	}
	if (subtitles?.faults.length) {
		const { left_out: lost, repaired } = subtitles;
		found.push({ id: 'subtitles', good: lost === 0, words: 'The subtitle file had faults', figure: `${lost} left out, ${repaired} repaired` });
	}
	if (joined) found.push({ id: 'joined', good: true, words: 'Short cues joined to sentences', figure: `${joined.cues} to ${lines(joined.lines, '').trim()}` });
	if (left_out) found.push({ id: 'left-out', good: true, words: 'Sounds, music and names not spoken', figure: lines(left_out, '').trim() });
	return found;
}
