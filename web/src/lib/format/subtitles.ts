import type { SubtitleReading } from '$lib/api/types';
import { count } from './numbers';

/** What was faulty in a file, in a few words: `1 faulty subtitle was left out, 2 were repaired`; "" for nothing. */
export function faultWords({ left_out, repaired }: Pick<SubtitleReading, 'left_out' | 'repaired'>): string {
	const were = (n: number) => (n === 1 ? 'was' : 'were');
	if (left_out && repaired) return `${count(left_out, 'faulty subtitle')} ${were(left_out)} left out, ${repaired} ${were(repaired)} repaired`;
	if (left_out) return `${count(left_out, 'faulty subtitle')} ${were(left_out)} left out`;
	return repaired ? `${count(repaired, 'faulty subtitle')} ${were(repaired)} repaired` : '';
}

/** `Line 6: the cue ends before it starts; ends at 4.2 s` */
export function faultLine({ line, what, done }: SubtitleReading['faults'][number]): string {
	const told = `${what}; ${done}`;
	return line ? `Line ${line}: ${told}` : `${told.charAt(0).toUpperCase()}${told.slice(1)}`;
}
