import type { Job, JobState, JobSummary, Stage } from '$lib/api/types';

export type StepState = 'done' | 'active' | 'waiting' | 'failed' | 'stopped' | 'skipped';

export interface Step {
	name: string;
	state: StepState;
	/** It waits for the person, not for the machine. */
	yours: boolean;
	progress: number;
}

const NAMES: [Stage | 'review', string][] = [
	['probe', 'Check'],
	['ingest', 'Listen'],
	['transcribe', 'Transcribe'],
	['review', 'Review'],
	['synthesize', 'Speak'],
	['fit', 'Fit'],
	['mix', 'Mix'],
	['mux', 'Finish']
];

export const STATE_NAMES: Record<JobState, string> = {
	queued: 'Waiting',
	preparing: 'Preparing',
	review: 'Ready to review',
	rendering: 'Rendering',
	completed: 'Done',
	failed: 'Failed',
	cancelled: 'Cancelled'
};

export const RUNNING: JobState[] = ['queued', 'preparing', 'rendering'];
export const isRunning = (job: Pick<Job, 'state'>) => RUNNING.includes(job.state);

/** Where the job stands among its steps: an index, and what that step is doing. */
function position(job: Pick<Job, 'state' | 'phase' | 'stage' | 'error'>): [number, StepState] {
	const at = (stage: Stage | null | undefined) => NAMES.findIndex(([id]) => id === stage);
	const phaseStart = at(job.phase === 'prepare' ? 'probe' : 'synthesize');
	const here = Math.max(at(job.error?.stage ?? job.stage), phaseStart);
	switch (job.state) {
		case 'completed':
			return [NAMES.length, 'done'];
		case 'review':
			return [3, 'active'];
		case 'queued':
			return [phaseStart, 'waiting'];
		case 'failed':
			return [here, 'failed'];
		case 'cancelled':
			return [here, 'stopped'];
		default:
			return [here, 'active'];
	}
}

export function steps(job: Job): Step[] {
	const [here, state] = position(job);
	return NAMES.map(([id, name], index) => {
		const skipped = id === 'review' && !job.options.review;
		const reached: StepState = index < here ? 'done' : index === here ? state : 'waiting';
		return {
			name: named(id, name, job.options.recognizer),
			state: skipped && reached !== 'active' ? 'skipped' : reached,
			yours: id === 'review' && reached === 'active',
			progress: index === here && state === 'active' ? job.stage_progress : 0
		};
	});
}

const named = (id: Stage | 'review', name: string, recognizer: string) => (id === 'transcribe' && recognizer === 'subtitles' ? 'Read lines' : name);

/** What the job is doing now, in a few words. */
export function doing(job: Job | JobSummary): string {
	const here = NAMES[position(job)[0]];
	if ((job.state !== 'preparing' && job.state !== 'rendering') || !here) return STATE_NAMES[job.state];
	return named(...here, 'options' in job ? job.options.recognizer : job.recognizer);
}
