import type { Deletion, KindRoom, LastBackup, StorageRule } from '$lib/api/types';
import { bytes, count } from './numbers';
import { ago } from './time';

const NAMES: Record<string, string> = {
	sources: 'Originals',
	clips: 'Spoken lines',
	outputs: 'Finished files',
	analysis: 'For recognition and mixing',
	uploads: 'Unfinished uploads',
	models: 'Recognition models',
	backups: 'Backups',
	database: 'Database',
	scratch: 'Work in progress',
	jobs: 'Jobs'
};
const REASONS = { age: 'older than is kept', size: 'more than is kept', unused: 'nothing needs it' };

/** The name of a kind of files, as shown. */
export function kindName(kind: string): string {
	return NAMES[kind] ?? kind;
}

/** The kinds that use space, the largest first. */
export function largestFirst(kinds: readonly KindRoom[]): KindRoom[] {
	return kinds.filter((kind) => kind.bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

/** `kept for 30 days, at most 200 GB`; `kept for ever` without a rule. */
export function ruleWords(rule: StorageRule): string {
	const parts = [];
	if (rule.keep_days > 0) parts.push(`kept for ${count(rule.keep_days, 'day')}`);
	if (rule.max_bytes > 0) parts.push(`${parts.length ? '' : 'kept up to '}${parts.length ? 'at most ' : ''}${bytes(rule.max_bytes)}`);
	return parts.join(', ') || 'kept for ever';
}

/** The variables that change a rule. */
export function ruleVariables(rule: StorageRule): string[] {
	return [rule.keep_variable, rule.max_variable].filter((name) => name !== '');
}

export function reason(deletion: Pick<Deletion, 'why'>): string {
	return REASONS[deletion.why];
}

/** Whose files are deleted: a job's title, with how many share it; otherwise what they are. */
export function whose(deletion: Deletion): string {
	const others = deletion.job_ids.length - 1;
	if (others > 0) return `${deletion.title} and ${count(others, 'job')} that share${others === 1 ? 's' : ''} it`;
	return deletion.title || count(deletion.names?.length ?? 0, 'line from the command line', 'lines from the command line');
}

/** The state of the last backup: `Last backup 3 hr. ago, 1.2 GB.` */
export function backupWords(backup: LastBackup | null, on: boolean, now_ms = Date.now()): string {
	if (!backup) return on ? 'No backup has been made yet.' : 'No backup has been made; none is scheduled.';
	if (!backup.ok) return `The last backup failed, ${ago(backup.at, now_ms)}.`;
	return `Last backup ${ago(backup.at, now_ms)}, ${bytes(backup.bytes)}.`;
}
