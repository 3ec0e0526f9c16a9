import { getReport } from '$lib/api/jobs';
import type { Flag, Job, LineReport, Report } from '$lib/api/types';
import type { Line } from './line.svelte';

/** The report of the last render, line by line. Loaded again after every render. */
export class ReportStore {
	#report = $state.raw<Report | null>(null);
	#of = '';
	readonly #lines = $derived.by(() => new Map(this.#report?.lines.map((line) => [line.segment_id, line])));

	constructor(private readonly job_id: string) {}

	get report(): Report | null {
		return this.#report;
	}

	/** The report of a line; null before the first render. */
	of(line: Line): LineReport | null {
		return this.#lines.get(line.id) ?? null;
	}

	/** The ids of the lines with a flag, in order. */
	flagged(flag: Flag): string[] {
		return this.#report?.lines.filter((line) => line.flags.includes(flag)).map((line) => line.segment_id) ?? [];
	}

	/** Reads the report when the job's is another one than the one that is here. */
	async follow(job: Job): Promise<void> {
		const sha256 = job.artifacts.find((a) => a.kind === 'report')?.sha256 ?? '';
		if (sha256 === this.#of) return;
		this.#of = sha256;
		try {
			const report = sha256 ? await getReport(this.job_id) : null;
			if (sha256 === this.#of) this.#report = report;
		} catch (thrown) {
			if (sha256 === this.#of) this.#of = ''; // asked again with the job's next event
			throw thrown;
		}
	}
}

const NEAR_S = 0.0015;
const NEAR_RATE = 0.005;

/** Whether the line was edited since its report, which is then out of date. */
export function outdated(line: Line, report: LineReport): boolean {
	const { text, start_s, skip, start_locked, locked_rate } = line;
	const tidy = (words: string) => words.replace(/\s+/g, ' ').trim();
	if (skip || tidy(text) !== tidy(report.text) || Math.abs(start_s - report.start_s) > NEAR_S) return true;
	return (start_locked && Math.abs(report.offset_s) > NEAR_S) || (locked_rate !== null && Math.abs(locked_rate - report.rate) > NEAR_RATE);
}
