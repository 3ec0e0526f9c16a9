import type { Deletion, KindRoom, LastBackup, StorageRule } from '$lib/api/types';
import { describe, expect, it } from 'vitest';
import { backupWords, largestFirst, ruleVariables, ruleWords, whose } from './storage';

const rule = (keep_days: number, max_bytes: number): StorageRule => ({
	kind: 'outputs',
	keep_days,
	max_bytes,
	keep_variable: 'AUTODUBBER_KEEP_OUTPUTS_DAYS',
	max_variable: ''
});
const deletion = (changes: Partial<Deletion>): Deletion => ({ kind: 'sources', why: 'age', bytes: 1, job_ids: ['a'], title: 'Film', at: 0, names: [], ...changes });
const NOW_MS = 1_800_000_000_000;
const backup = (changes: Partial<LastBackup>): LastBackup => ({
	at: NOW_MS / 1000 - 3 * 3600,
	to: '/data/backups',
	snapshot: 's',
	bytes: 1_200_000_000,
	seconds: 1,
	ok: true,
	error: '',
	late: false,
	...changes
});

describe('the policy in words', () => {
	it('says how long and how much', () => {
		expect(ruleWords(rule(0, 0))).toBe('kept for ever');
		expect(ruleWords(rule(30, 0))).toBe('kept for 30 days');
		expect(ruleWords(rule(1, 200_000_000_000))).toBe('kept for 1 day, at most 200 GB');
		expect(ruleWords(rule(0, 200_000_000_000))).toBe('kept up to 200 GB');
	});
	it('names only variables that exist', () => {
		expect(ruleVariables(rule(0, 0))).toEqual(['AUTODUBBER_KEEP_OUTPUTS_DAYS']);
	});
});

describe('what takes the room', () => {
	it('comes by size, without what is empty', () => {
		const kind = (name: string, size: number): KindRoom => ({ kind: name, count: 1, bytes: size, oldest_at: null });
		expect(largestFirst([kind('a', 1), kind('b', 0), kind('c', 3)]).map((k) => k.kind)).toEqual(['c', 'a']);
	});
});

describe('what would be deleted', () => {
	it('names the job, and those that share it', () => {
		expect(whose(deletion({}))).toBe('Film');
		expect(whose(deletion({ job_ids: ['a', 'b'] }))).toBe('Film and 1 job that shares it');
		expect(whose(deletion({ job_ids: ['a', 'b', 'c'] }))).toBe('Film and 2 jobs that share it');
		expect(whose(deletion({ job_ids: [], title: '', names: ['x', 'y'] }))).toBe('2 lines from the command line');
	});
});

describe('the last backup', () => {
	it('tells its age, that it failed, or that there is none', () => {
		expect(backupWords(backup({}), true, NOW_MS)).toBe('Last backup 3 hr. ago, 1.2 GB.');
		expect(backupWords(backup({ ok: false }), true, NOW_MS)).toBe('The last backup failed, 3 hr. ago.');
		expect(backupWords(null, true)).toBe('No backup has been made yet.');
		expect(backupWords(null, false)).toContain('none is scheduled');
	});
});
