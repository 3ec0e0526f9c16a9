import { deleteJob, duplicateJob, estimateJob, getJob, steerJob, type JobAction } from '$lib/api/jobs';
import { ApiError, asApiError, JobChangedError } from '$lib/api/problems';
import { getSegments } from '$lib/api/segments';
import { LiveSocket, type Connection } from '$lib/api/socket';
import type { Estimate, Job, JobMessage, JobPatch } from '$lib/api/types';
import { fieldLabel, fieldValue } from '$lib/format/changes';
import { languageName } from '$lib/format/languages';
import { isRunning, steps } from '$lib/format/stages';
import { JobChanges } from './changes.svelte';
import { LinesStore } from './lines.svelte';
import { ReportStore } from './report.svelte';
import { server } from './server.svelte';

/** One job, updated live: its state, its lines, and its actions. */
export class JobStore {
	readonly lines: LinesStore;
	readonly report: ReportStore;
	readonly changes: JobChanges;
	#job = $state.raw<Job | null>(null);
	#gone = $state(false);
	#message = $state('');
	#connection = $state<Connection>('connecting');
	#estimate = $state.raw<Estimate | null>(null);
	#estimateError = $state.raw<ApiError | null>(null);
	#socket: LiveSocket<JobMessage> | null = null;

	readonly #shown = $derived.by(() => this.#job && this.changes.over(this.#job));
	readonly running = $derived.by(() => this.#job !== null && isRunning(this.#job));
	readonly steps = $derived.by(() => (this.#job ? steps(this.#job, server.stages, server.canSeparate) : []));
	/** Lines can be changed: nothing is working on them. */
	readonly editable = $derived.by(() => this.#job !== null && !this.running && this.lines.all.length > 0);
	readonly rendered = $derived.by(() => this.#job?.artifacts.some((a) => a.kind === 'video' || a.kind === 'audio') ?? false);
	/** The lines or options have changed since the last render. */
	readonly stale = $derived.by(() => this.rendered && ((this.#job?.stale ?? false) || this.lines.dirty));

	constructor(readonly id: string) {
		this.lines = new LinesStore(id);
		this.report = new ReportStore(id);
		this.changes = new JobChanges(id, {
			saved: (job) => {
				this.#take(job);
				void this.refreshEstimate();
			},
			conflicted: () => void this.#read()
		});
	}

	get job(): Job | null {
		return this.#shown;
	}
	get gone(): boolean {
		return this.#gone;
	}
	get message(): string {
		return this.#message;
	}
	get connection(): Connection {
		return this.#connection;
	}
	get estimate(): Estimate | null {
		return this.#estimate;
	}
	get estimateError(): ApiError | null {
		return this.#estimateError;
	}

	/** Active until the returned function is called. */
	open(): () => void {
		this.#socket = new LiveSocket<JobMessage>(
			`/ws/${this.id}`,
			(message) => this.handle(message),
			(connection) => this.#connected(connection)
		);
		return () => {
			this.#socket?.close();
			this.lines.close();
		};
	}

	handle(message: JobMessage): void {
		switch (message.type) {
			case 'snapshot':
				this.#job = message.job;
				this.lines.take({ revision: message.job.revision, segments: message.segments, speakers: message.speakers });
				this.lines.reconnected();
				return;
			case 'state':
				this.#take(message.job);
				if (!isRunning(message.job)) this.#message = '';
				return;
			case 'progress': {
				const { stage, stage_progress, progress, eta_s } = message;
				if (this.#job) this.#job = { ...this.#job, stage, stage_progress, progress, eta_s };
				this.#message = [message.language && languageName(message.language), message.message].filter(Boolean).join(', ');
				return;
			}
			case 'segments':
				this.lines.apply(message.revision, message.segments, message.removed, message.speakers);
				return;
			case 'deleted':
				this.#gone = true;
		}
	}

	/** Approve, render, cancel or retry; unsaved changes are saved first. It starts only with the options that are shown. */
	async steer(action: JobAction): Promise<void> {
		if (this.lines.dirty) await this.lines.flush();
		if (action !== 'cancel') await this.changes.sent;
		try {
			this.#take(await steerJob(this.id, action, this.#job?.choices_revision ?? 0));
		} catch (thrown) {
			if (!(thrown instanceof JobChangedError)) throw thrown;
			void this.#read();
			const now = thrown.changed.map(({ field, now }) => `${fieldLabel(field)}: ${fieldValue(field, now, (voice) => server.voiceName(voice))}`);
			throw new ApiError(thrown.code, thrown.status, `This was changed elsewhere just now. ${now.join(', ')}.`, 'Look at it, then start again.');
		}
	}

	/**
	 * Changes the title, options or background, one after the other. Options are shown at once, and as they were when the server refuses.
	 * `seen` is the job as it was shown when the person began. False when the change gave way to another's (`changes.conflicts`).
	 */
	async update(patch: JobPatch, seen = this.job): Promise<boolean> {
		return seen !== null && (await this.changes.save(patch, seen));
	}

	/** A new job from the same upload; its id. */
	async duplicate(patch: JobPatch): Promise<string> {
		return (await duplicateJob(this.id, patch)).id;
	}

	async delete(): Promise<void> {
		await deleteJob(this.id);
		this.#gone = true;
	}

	async refreshEstimate(): Promise<void> {
		try {
			this.#estimate = await estimateJob(this.id);
			this.#estimateError = null;
		} catch (thrown) {
			this.#estimate = null;
			this.#estimateError = asApiError(thrown);
		}
	}

	/** A newer row of the job. What a person chose never steps back: answers and events may overtake each other. */
	#take(job: Job): void {
		const last = this.#job;
		const { title, options, has_stem, choices_revision } = last && last.choices_revision > job.choices_revision ? last : job;
		this.#job = { ...job, title, options, has_stem, choices_revision };
	}

	#connected(connection: Connection): void {
		this.#connection = connection;
		if (connection === 'gone') this.#gone = true;
		if (connection === 'lost' || connection === 'full') void this.#read();
	}

	/** Without a socket (some proxies block it) the page reloads the job at every attempt to reconnect. */
	async #read(): Promise<void> {
		try {
			const [job, segments] = await Promise.all([getJob(this.id), getSegments(this.id)]);
			this.#take(job);
			this.lines.take(segments);
			this.lines.reconnected();
		} catch (thrown) {
			if (asApiError(thrown).status === 404) this.#gone = true; // anything else: the banner says that there is no connection
		}
	}
}
