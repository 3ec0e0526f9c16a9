import { updateJob } from '$lib/api/jobs';
import { JobChangedError } from '$lib/api/problems';
import type { ChangedField, Job, JobPatch } from '$lib/api/types';
import { fieldsOf, valueOf } from '$lib/format/changes';
import { merged } from '$lib/format/options';

/** One field that others have changed too: what this page wants, and what is saved. */
export interface Clash {
	field: string;
	mine: unknown;
	theirs: unknown;
}

/** A change of this page that is not saved, because others have changed the same fields. */
export interface JobConflict {
	readonly patch: JobPatch;
	readonly clashes: readonly Clash[];
	/** What the person has seen by now, by field. */
	readonly seen: Map<string, unknown>;
	readonly revision: number;
	readonly done: (applied: boolean) => void;
}

interface Listener {
	saved: (job: Job) => void;
	/** Others have changed the job: it is to be read again. */
	conflicted: () => void;
}

/** Changes of a job's title, options and background on their way to the server, and those that clash with changes of others. */
export class JobChanges {
	#unsaved = $state.raw<JobPatch[]>([]);
	#conflicts = $state.raw<JobConflict[]>([]);
	#sending: Promise<unknown> = Promise.resolve();

	constructor(
		private readonly id: string,
		private readonly listener: Listener
	) {}

	get conflicts(): readonly JobConflict[] {
		return this.#conflicts;
	}
	/** Resolves when the changes made so far have their answers. */
	get sent(): Promise<unknown> {
		return this.#sending;
	}

	/** The job with the options that the person has chosen, saved or not. */
	over(job: Job): Job {
		const patches = [...this.#conflicts.map(({ patch }) => patch), ...this.#unsaved];
		return patches.length ? { ...job, options: merged(job.options, ...patches.map(({ options }) => options ?? {})) } : job;
	}

	/**
	 * Saves a change that was made on the job as `seen`, after those before it. Resolves when it is saved (true), or when the person has
	 * chosen the other's change, or a newer one, instead (false). Rejects when the server refuses it.
	 */
	save(patch: JobPatch, seen: Job): Promise<boolean> {
		const values = new Map(fieldsOf(patch).map((field) => [field, valueOf(field, seen)]));
		return new Promise((resolve, reject) => this.#queue(patch, values, seen.choices_revision, resolve, reject));
	}

	/** Saves the page's change over the other's. */
	keepMine({ patch, seen, revision, done, clashes }: JobConflict): Promise<boolean> {
		this.#conflicts = this.#conflicts.filter((conflict) => conflict.patch !== patch);
		const values = new Map([...seen, ...clashes.map(({ field, theirs }) => [field, theirs] as const)]);
		return new Promise((resolve, reject) => {
			const settled = (applied: boolean) => (done(applied), resolve(applied));
			const refused = (thrown: unknown) => (done(false), reject(thrown));
			this.#queue(patch, values, revision, settled, refused);
		});
	}

	/** Drops the page's change. */
	takeTheirs(conflict: JobConflict): void {
		this.#conflicts = this.#conflicts.filter(({ patch }) => patch !== conflict.patch);
		conflict.done(false);
	}

	#queue(patch: JobPatch, seen: Map<string, unknown>, revision: number, done: JobConflict['done'], refused: (thrown: unknown) => void): void {
		this.#unsaved = [...this.#unsaved, patch];
		this.#sending = this.#sending.then(() => this.#send(patch, seen, revision, done).catch(refused));
	}

	async #send(patch: JobPatch, seen: Map<string, unknown>, revision: number, done: JobConflict['done']): Promise<void> {
		try {
			const job = await updateJob(this.id, patch, revision);
			this.#supersede(patch);
			this.listener.saved(job);
			done(true);
		} catch (thrown) {
			if (!(thrown instanceof JobChangedError)) throw thrown;
			const clashes = clashesOf(patch, seen, thrown.changed);
			// What has changed is what this page showed: an earlier change of its own.
			if (!clashes.length) return await this.#send(patch, seen, thrown.choices_revision, done);
			this.#supersede(patch);
			this.#conflicts = [...this.#conflicts, { patch, clashes, seen, revision: thrown.choices_revision, done }];
			this.listener.conflicted();
		} finally {
			this.#unsaved = this.#unsaved.filter((other) => other !== patch);
		}
	}

	/** An older conflict about a field that the person has changed again is over. */
	#supersede(patch: JobPatch): void {
		const fields = new Set(fieldsOf(patch));
		const over = this.#conflicts.filter(({ clashes }) => clashes.some(({ field }) => fields.has(field)));
		this.#conflicts = this.#conflicts.filter((conflict) => !over.includes(conflict));
		for (const { done } of over) done(false);
	}
}

/** Fields whose values are not those that the person saw. A background cannot be compared: it is only known that there is one. */
function clashesOf(patch: JobPatch, seen: Map<string, unknown>, changed: readonly ChangedField[]): Clash[] {
	return changed
		.filter(({ field, now }) => field === 'stem_upload_id' || seen.get(field) !== now)
		.map(({ field, now }) => ({ field, mine: valueOf(field, patch), theirs: now }));
}
