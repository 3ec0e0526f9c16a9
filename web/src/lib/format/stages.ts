import type { Job, JobState, JobSummary, StageInfo } from '$lib/api/types';

export type StepState = 'done' | 'active' | 'waiting' | 'failed' | 'stopped' | 'skipped';

export interface Step {
	name: string;
	state: StepState;
	/** It waits for the person, not for the machine. */
	yours: boolean;
	progress: number;
}

/** The person's own step, between the two phases. */
const REVIEW = { name: 'review', title: 'Review' };

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

type Named = Pick<StageInfo, 'name' | 'title'>;

function withReview(stages: readonly StageInfo[]): Named[] {
	const of = (phase: StageInfo['phase']) => stages.filter((stage) => stage.phase === phase);
	return stages.length ? [...of('prepare'), REVIEW, ...of('render')] : [];
}

const titled = ({ name, title }: Named, recognizer: string) => (name === 'transcribe' && recognizer === 'subtitles' ? 'Read lines' : title);

/** Where the job stands among its steps: an index, and what that step is doing. */
function position(job: Pick<Job, 'state' | 'phase' | 'stage' | 'error'>, listed: readonly Named[]): [number, StepState] {
	const review = listed.indexOf(REVIEW);
	const phaseStart = job.phase === 'prepare' ? 0 : review + 1;
	const stage = job.error?.stage ?? job.stage;
	const here = Math.max(
		listed.findIndex(({ name }) => name === stage),
		phaseStart
	);
	switch (job.state) {
		case 'completed':
			return [listed.length, 'done'];
		case 'review':
			return [review, 'active'];
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

/** Whether the old voice is taken out; `canSeparate`: the server has the model. */
function separates(job: Job, canSeparate: boolean): boolean {
	const { separate, background } = job.options.mix;
	if (job.stage === 'separate' || job.error?.stage === 'separate') return true;
	if (job.has_stem || background === 'replace') return false;
	return separate === 'on' || (separate === 'auto' && background === 'duck' && canSeparate);
}

/** `stages` are the server's, in their order; no steps while they are not known. */
export function steps(job: Job, stages: readonly StageInfo[], canSeparate = false): Step[] {
	const { translation, recognition } = job.options;
	const has: Record<string, boolean> = {
		translate: !!translation.translator,
		speakers: typeof recognition.speakers === 'number' || job.stage === 'speakers' || job.error?.stage === 'speakers',
		separate: separates(job, canSeparate)
	};
	const used = stages.filter(({ name }) => has[name] ?? true);
	const listed = withReview(used);
	if (!listed.length) return [];
	const [here, state] = position(job, listed);
	return listed.map(({ name, title }, index) => {
		const skipped = name === REVIEW.name && !job.options.recognition.review;
		const reached: StepState = index < here ? 'done' : index === here ? state : 'waiting';
		return {
			name: titled({ name, title }, job.options.recognition.recognizer),
			state: skipped && reached !== 'active' ? 'skipped' : reached,
			yours: name === REVIEW.name && reached === 'active',
			progress: index === here && state === 'active' ? job.stage_progress : 0
		};
	});
}

/** What the job is doing now, in a few words. */
export function doing(job: Job | JobSummary, stages: readonly StageInfo[]): string {
	const listed = withReview(stages);
	const here = listed[position(job, listed)[0]];
	if ((job.state !== 'preparing' && job.state !== 'rendering') || !here) return STATE_NAMES[job.state];
	return titled(here, 'options' in job ? job.options.recognition.recognizer : job.recognizer);
}
